// A client as one writes it before reading the rules: no outbox, no memory of what was shown, no resume. It is here to
// fail under `deskwire conform`.
import { randomUUID } from "node:crypto";
import WebSocket from "ws";
import { instructions, report, variable } from "./lines.js";

const base = variable("CONFORM_URL").replace("http", "ws");
let socket: WebSocket;

function connect(): void {
  socket = new WebSocket(`${base}/api/v1/ws`, "deskwire.v1");
  socket.on("open", () => {
    const data = { token: variable("CONFORM_ACCESS_TOKEN"), device: variable("CONFORM_DEVICE") };
    socket.send(JSON.stringify({ type: "hello", id: 1, data }));
  });
  socket.on("message", (bytes) => {
    const frame = JSON.parse(String(bytes));
    const entries = frame.type === "entry" ? [frame.data] : frame.type === "entries" ? frame.data.entries : [];
    for (const { conversation_id, seq, kind, content } of entries) {
      report("entry", { conversation_id, seq, kind, text: content.text ?? null });
    }
  });
  socket.on("error", () => undefined);
  socket.on("close", () => setTimeout(connect, 10));
}

instructions((instruction) => {
  const { conversation_id } = instruction;
  const content = { text: instruction.text };
  const data = { conversation_id, client_msg_id: randomUUID(), kind: "text", content };
  if (instruction.do === "send") socket.send(JSON.stringify({ type: "message.send", id: 2, data }), () => undefined);
  else if (instruction.do === "stop") process.exit();
});
report("started", { supports: [] });
connect();
