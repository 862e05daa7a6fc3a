// One conversation through the typed client that was made from the OpenAPI document, and a hello over the socket.
// Usage: BASE=http://127.0.0.1:8080 PASSWORD=… node build/journey.js
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import WebSocket from "ws";
import type { components, paths } from "./schema.js";

const base = process.env["BASE"] ?? "http://127.0.0.1:8080";
const password = process.env["PASSWORD"] ?? "";

type Problem = components["schemas"]["Problem"];

function client(token?: string) {
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  return createClient<paths>({ baseUrl: base, headers });
}

/** The answer's body, or a readable failure with the problem's code. */
function must<T>(answer: { data?: T | undefined; error?: unknown; response: Response }): T {
  if (answer.data !== undefined) return answer.data;
  const problem = answer.error as Problem | undefined;
  throw new Error(`${answer.response.status} ${problem?.code}: ${problem?.detail} (${problem?.request_id})`);
}

async function hello(token: string): Promise<{ ready: Record<string, unknown>; live: Record<string, unknown> }> {
  const socket = new WebSocket(`${base.replace("http", "ws")}/api/v1/ws`, "deskwire.v1");
  const seen = new Map<string, Record<string, unknown>>();
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no live within ten seconds")), 10_000);
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
    socket.on("open", () => {
      socket.send(JSON.stringify({ type: "hello", id: 1, data: { token, device: "typescript" } }));
    });
    socket.on("message", (bytes) => {
      const frame = JSON.parse(bytes.toString()) as { type: string; data: Record<string, unknown> };
      seen.set(frame.type, frame.data);
      const ready = seen.get("ready");
      const live = seen.get("live");
      if (ready === undefined || live === undefined) return;
      clearTimeout(timer);
      socket.removeAllListeners("close");
      socket.close(1000);
      resolve({ ready, live });
    });
  });
}

async function journey() {
  const nobody = client();
  const staffTokens = must(
    await nobody.POST("/api/v1/auth/login", {
      body: { tenant: "demo", name: "admin", password, device: "typescript" },
    }),
  );
  const visitorTokens = must(
    await nobody.POST("/api/v1/visitors", { body: { tenant: "demo", nickname: "Mei" } }),
  );
  const staff = client(staffTokens.access_token);
  const visitor = client(visitorTokens.access_token);

  const opened = must(
    await visitor.POST("/api/v1/conversations", {
      body: {
        subject: "Order 1001",
        message: { client_msg_id: "m1", kind: "text", content: { text: "Where is my parcel?" } },
      },
    }),
  );
  const path = { id: opened.conversation.id };
  assert.equal(opened.created, true);

  const again = must(
    await visitor.POST("/api/v1/conversations/{id}/messages", {
      params: { path },
      body: { client_msg_id: "m1", kind: "text", content: { text: "Where is my parcel?" } },
    }),
  );
  assert.equal(again.duplicate, true, "the same key is the same message");

  const waiting = must(await staff.GET("/api/v1/conversations", { params: { query: { status: "open" } } }));
  assert.equal(waiting.data.length, 1);
  const claimed = must(await staff.POST("/api/v1/conversations/{id}/claim", { params: { path } }));
  assert.equal(claimed.status, "pending");

  const answer = must(
    await staff.POST("/api/v1/conversations/{id}/messages", {
      params: { path },
      body: { client_msg_id: "a1", kind: "text", content: { text: "明天送到。" } },
    }),
  );
  const inbox = must(await visitor.GET("/api/v1/inbox"));
  assert.equal(inbox.unread_total, 1);
  const read = must(
    await visitor.POST("/api/v1/conversations/{id}/read", { params: { path }, body: { seq: answer.seq ?? 0 } }),
  );
  assert.equal(read.read_seq, answer.seq);
  assert.equal(must(await visitor.GET("/api/v1/inbox")).unread_total, 0);

  const history = must(await visitor.GET("/api/v1/conversations/{id}/entries", { params: { path } }));
  assert.deepEqual(
    history.data.map((entry) => entry.seq),
    history.data.map((_, index) => index + 1),
    "the log is dense",
  );

  const { ready } = await hello(visitorTokens.access_token);
  assert.equal(ready["unread_total"], 0);

  const refused = await visitor.POST("/api/v1/conversations/{id}/claim", { params: { path } });
  assert.equal((refused.error as Problem).code, "forbidden");
  console.log(`typescript: ${history.data.length} entries read through the generated client, socket live`);
}

await journey();
