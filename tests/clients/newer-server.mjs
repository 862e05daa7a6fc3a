// A newer version of the server, for clients that were generated from today's document. Forwards every request to the
// server at BASE and changes its JSON answers in every way in which the document lets them grow: each object gets an
// unknown field, each entry of kind `opened` an unknown kind, each word of a list that may grow becomes an unknown word.
// Usage: BASE=http://127.0.0.1:8080 node newer-server.mjs COMMAND…; the command finds the address in NEWER_BASE.
import { spawn } from "node:child_process";
import { createServer, request } from "node:http";

const base = new URL(process.env.BASE ?? "http://127.0.0.1:8080");
const [command, ...parameters] = process.argv.slice(2);
if (command === undefined) {
  console.error("usage: BASE=… node newer-server.mjs COMMAND…");
  process.exit(2);
}

/** The fields whose values come from a list that may grow. */
const words = new Set(["status", "kind", "priority", "close_reason", "role", "reason", "code", "message_type"]);

/** Objects whose keys are data, such as custom attributes: a new key there is a value of today's form. */
const maps = new Set(["attributes"]);

function grown(value) {
  if (Array.isArray(value)) return value.map(grown);
  if (value === null || typeof value !== "object") return value;
  const isEntry = "message_type" in value && "seq" in value;
  const changed = { unknown_field: { nested: [1, null, "new"] } };
  for (const [name, inner] of Object.entries(value)) {
    if (maps.has(name)) changed[name] = inner;
    else if (!words.has(name) || typeof inner !== "string") changed[name] = grown(inner);
    else if (!isEntry) changed[name] = `unknown_${inner}`;
    else changed[name] = name === "kind" && inner === "opened" ? "unknown_kind" : inner;
  }
  return changed;
}

const server = createServer((asked, answer) => {
  const headers = { ...asked.headers, host: base.host, "accept-encoding": "identity" };
  const url = new URL(asked.url ?? "/", base);
  const forwarded = request(url, { method: asked.method, headers, timeout: 20_000 }, (given) => {
    const pieces = [];
    given.on("data", (piece) => pieces.push(piece));
    given.on("error", () => answer.destroy());
    given.on("end", () => {
      let body = Buffer.concat(pieces);
      const json = /^application\/(problem\+)?json/.test(given.headers["content-type"] ?? "");
      if (json && body.length > 0) body = Buffer.from(JSON.stringify(grown(JSON.parse(body.toString("utf8")))));
      const { "transfer-encoding": _chunked, connection: _connection, ...kept } = given.headers;
      answer.writeHead(given.statusCode ?? 502, { ...kept, "content-length": body.length });
      answer.end(body);
    });
  });
  forwarded.on("timeout", () => forwarded.destroy(new Error("no answer within twenty seconds")));
  forwarded.on("error", () => answer.destroy());
  asked.pipe(forwarded);
});

server.listen(0, "127.0.0.1", () => {
  const env = { ...process.env, NEWER_BASE: `http://127.0.0.1:${server.address().port}` };
  const child = spawn(command, parameters, { stdio: "inherit", env });
  child.on("error", (error) => {
    console.error(`${command}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code) => process.exit(code ?? 1));
});
