// The client under `deskwire conform`.
import WebSocket from "ws";
import { Client } from "../src/client.js";
import type { Entry } from "../src/frames.js";
import { Session } from "../src/session.js";
import { files } from "./files.js";
import { instructions, report, variable } from "./lines.js";

Object.assign(globalThis, { WebSocket });

const text = ({ content }: Entry) => (content as { text?: string }).text ?? null;
const base = variable("CONFORM_URL");
const storage = files(variable("CONFORM_STATE"));
const tokens = {
  access_token: variable("CONFORM_ACCESS_TOKEN"),
  refresh_token: variable("CONFORM_REFRESH_TOKEN"),
};

const client = new Client({
  base,
  device: variable("CONFORM_DEVICE"),
  session: new Session(base, storage, tokens),
  storage,
  events: {
    entry: (entry) => {
      const { conversation_id, seq, kind } = entry;
      report("entry", { conversation_id, seq, kind, text: text(entry) });
    },
    changed: (entry) => {
      const { conversation_id, seq, recalled_at } = entry;
      report("changed", { conversation_id, seq, text: text(entry), recalled: recalled_at != null });
    },
    erased: (conversation_id, through_seq) => report("erased", { conversation_id, through_seq }),
    dropped: (conversation) => report("dropped", { conversation_id: conversation ?? null }),
    failed: ({ client_msg_id }, code) => report("failed", { client_msg_id, code }),
    unread: (conversation_id, unread) => report("unread", { conversation_id, unread }),
    over: (reason) => report("over", { reason }),
  },
});

instructions((instruction) => {
  const conversation = instruction.conversation_id ?? "";
  if (instruction.do === "send") client.send(conversation, "text", { text: instruction.text ?? "" });
  else if (instruction.do === "read") client.read(conversation, instruction.seq ?? 0);
  else if (instruction.do === "watch") client.watch(conversation);
  else if (instruction.do === "wake") client.wake();
  else if (instruction.do === "stop") client.stop();
});
report("started", { supports: ["read", "unread", "watch", "wake", "restart"] });
client.start();
