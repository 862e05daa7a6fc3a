// A conversation over a socket through a proxy with TLS: hello, a message, an idle while that only pings keep alive,
// another message, a page of the same host, a close that is answered. Needs NAME, URL, TOKEN and CERTIFICATE.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import https from "node:https";
import WebSocket from "ws";

const { NAME, URL: BASE, TOKEN, CERTIFICATE } = process.env;
const ca = readFileSync(CERTIFICATE);
const target = new URL(BASE);
// The name stands in the certificate and in `Host`; the address is this machine's.
const lookup = (_name, options, done) => (options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4));
const fail = setTimeout(() => { throw new Error(`${NAME}: too slow`); }, 40_000);

async function post(path, body) {
  const request = https.request(new URL(`/api/v1${path}`, target), {
    method: "POST", ca, lookup, headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
  });
  request.end(JSON.stringify(body));
  const [response] = await once(request, "response");
  let text = "";
  for await (const part of response) text += part;
  assert(response.statusCode < 300, `${path}: ${response.statusCode} ${text}`);
  return JSON.parse(text);
}

async function connected(origin) {
  const url = new URL("/api/v1/ws", target);
  url.protocol = "wss:";
  const socket = new WebSocket(url, "deskwire.v1", { ca, lookup, origin });
  const frames = [];
  const waiting = [];
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    if (frame.type === "ping") socket.send(JSON.stringify({ type: "pong", data: { nonce: frame.data.nonce } }));
    frames.push(frame);
    waiting.splice(0).forEach((wake) => wake());
  });
  await once(socket, "open");
  const next = async (type) => {
    for (;;) {
      const at = frames.findIndex((frame) => frame.type === type);
      if (at >= 0) return frames.splice(at, 1)[0];
      await new Promise((wake) => waiting.push(wake));
    }
  };
  return { socket, next, send: (type, data, id) => socket.send(JSON.stringify({ type, id, data })) };
}

const { socket, next, send } = await connected(target.origin);
assert.equal(socket.protocol, "deskwire.v1");
send("hello", { token: TOKEN, device: "proxy" }, 1);
await next("live");
const { conversation } = await post("/conversations", { message: { client_msg_id: "m1", kind: "text", content: { text: "one" } } });
assert.equal((await next("entry")).data.conversation_id, conversation.id);
send("message.send", { conversation_id: conversation.id, client_msg_id: "m2", kind: "text", content: { text: "two" } }, 2);
assert.equal((await next("ok")).data.duplicate, false);
// Longer than two pings apart (the server that is tried pings every second): nothing on the way cuts it.
await next("ping");
await next("ping");
send("message.send", { conversation_id: conversation.id, client_msg_id: "m2", kind: "text", content: { text: "two" } }, 3);
assert.equal((await next("ok")).data.duplicate, true);
socket.close(1000);
const [code] = await once(socket, "close");
assert.equal(code, 1000);

// The host reaches the server: a page of another one may not open sockets.
await assert.rejects(connected("https://elsewhere.example"), /403/);
clearTimeout(fail);
console.log(`${NAME}: requests and a socket with TLS`);
