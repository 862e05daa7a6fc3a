// The client against a real server that is killed, and through a connection that is cut: nothing is lost, nothing is
// shown twice, the order holds. Usage: PROGRAM=…/deskwire node --test build/test/real.js
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import WebSocket from "ws";
import { Client } from "../src/client.js";
import type { Entry } from "../src/frames.js";
import { defaultLock, Session, type Tokens } from "../src/session.js";
import { memory } from "../src/storage.js";
import { variable } from "./lines.js";
import { Proxy, Server, sleep } from "./server.js";

const program = variable("PROGRAM");
/** Messages that are written in each conversation by each side, and how often. A visitor may send five frames a second. */
const MESSAGES = 40;
const EVERY_MS = 250;

type Json = Record<string, any>;

/** Keys of all messages as they go out. */
const keys: string[] = [];
class RecordingSocket extends WebSocket {
  override send(data: string): void {
    const frame = JSON.parse(data) as Json;
    if (frame["type"] === "message.send") keys.push(frame["data"].client_msg_id);
    super.send(data);
  }
}
Object.assign(globalThis, { WebSocket: RecordingSocket });

async function call(base: string, token: string | undefined, path: string, body?: Json): Promise<Json> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  const init = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${base}/api/v1${path}`, init);
  const answer = (await response.json()) as Json;
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

const newVisitor = async (base: string, nickname: string): Promise<Tokens> =>
  (await call(base, undefined, "/visitors", { tenant: "demo", nickname })) as unknown as Tokens;

const textOf = ({ content }: Entry) => (content as { text?: string }).text ?? "";

/** A device, and what it shows. */
class Device {
  readonly shown: Entry[] = [];
  readonly failed: string[] = [];
  over: string | undefined;
  /** How often it became live. */
  lives = 0;
  readonly client: Client;
  readonly session: Session;

  constructor(context: TestContext, base: string, device: string, readonly tokens: Tokens) {
    context.after(() => this.client.stop());
    const storage = memory();
    this.session = new Session(base, storage, tokens);
    this.client = new Client({
      base,
      device,
      session: this.session,
      storage,
      events: {
        entry: (entry) => this.shown.push(entry),
        failed: (_, code) => this.failed.push(code),
        live: () => this.lives++,
        over: (reason) => (this.over = reason),
      },
    });
    this.client.start();
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (let tries = 0; tries < 1_200 && !holds(); tries++) await sleep(50);
    assert.ok(holds(), `${what} (over: ${this.over}, failed: ${this.failed}, shown: ${this.shown.length})`);
  }

  /** It shows this log from where it met it, once and in order. */
  async shows(conversation: string, log: Entry[]): Promise<void> {
    const shown = () => this.shown.filter(({ conversation_id }) => conversation_id === conversation);
    await this.until(`entry ${log.length} of ${conversation} is shown`, () => shown().some(({ seq }) => seq >= log.length));
    const from = shown()[0]?.seq ?? 0;
    const brief = (entries: Entry[]) => entries.map((entry) => [entry.seq, entry.kind, textOf(entry)]);
    assert.deepEqual(brief(shown()), brief(log.slice(from - 1)));
  }
}

interface Talk {
  server: Server;
  proxy: Proxy;
  visitor: Device;
  agent: Device;
  /** Both are in the first one; the agent serves another one besides. */
  conversations: [string, string];
}

async function begin(context: TestContext): Promise<Talk> {
  const server = await Server.start(context, program);
  const proxy = await new Proxy(server.port).start(context);
  const login = { tenant: "demo", name: "admin", password: server.password, device: "laptop" };
  const staff = (await call(server.base, undefined, "/auth/login", login)) as unknown as Tokens;
  const open = async (nickname: string): Promise<[Tokens, string]> => {
    const tokens = await newVisitor(server.base, nickname);
    const message = { client_msg_id: "m1", kind: "text", content: { text: "hello" } };
    const opened = await call(server.base, tokens.access_token, "/conversations", { subject: nickname, message });
    const id = opened["conversation"].id as string;
    await call(server.base, staff.access_token, `/conversations/${id}/claim`, {});
    return [tokens, id];
  };
  const [mei, first] = await open("Mei");
  const [, second] = await open("Ann");
  const visitor = new Device(context, proxy.base, "phone", mei);
  const agent = new Device(context, proxy.base, "laptop", staff);
  await visitor.until("the visitor is live", () => visitor.lives > 0);
  await agent.until("the agent is live", () => agent.lives > 0);
  return { server, proxy, visitor, agent, conversations: [first, second] };
}

/** Both sides write while `trouble` goes on; then all that was written is everywhere, once and in order. */
async function talk(context: TestContext, trouble: (talk: Talk) => Promise<void>): Promise<Talk> {
  const played = await begin(context);
  const { server, visitor, agent, conversations } = played;
  const [first, second] = conversations;
  const written = { v: [] as string[], a: [] as string[], s: [] as string[] };
  const own = new Set<string>();
  const write = (device: Device, conversation: string, letter: keyof typeof written, number: number) => {
    written[letter].push(`${letter}${number}`);
    own.add(device.client.send(conversation, "text", { text: `${letter}${number}` }));
  };
  let done = false;
  const writing = (async () => {
    for (let number = 0; number < MESSAGES; number++) {
      write(visitor, first, "v", number);
      write(agent, first, "a", number);
      write(agent, second, "s", number);
      await sleep(EVERY_MS);
    }
    done = true;
  })();
  while (!done) await trouble(played);
  await writing;
  for (const device of [visitor, agent]) {
    await device.until("everything is acknowledged", () => device.client.state.outbox.length === 0);
  }
  const log = async (id: string) =>
    (await call(server.base, agent.tokens.access_token, `/conversations/${id}/entries?limit=200`))["data"] as Entry[];
  const logs = { [first]: await log(first), [second]: await log(second) };
  const said = (id: string, letter: string) => (logs[id] ?? []).map(textOf).filter((text) => text.startsWith(letter));
  assert.deepEqual(said(first, "v"), written.v, "the visitor's messages are there once, in order");
  assert.deepEqual(said(first, "a"), written.a, "the agent's messages are there once, in order");
  assert.deepEqual(said(second, "s"), written.s, "those of the second conversation, too");
  await visitor.shows(first, logs[first] ?? []);
  await agent.shows(first, logs[first] ?? []);
  await agent.shows(second, logs[second] ?? []);
  assert.deepEqual([visitor.failed, agent.failed, visitor.over, agent.over], [[], [], undefined, undefined]);
  const sent = keys.filter((key) => own.has(key)).length;
  assert.ok(sent > own.size, "nothing had to be sent again: the test did not test");
  context.diagnostic(`${own.size} messages, ${sent - own.size} sent again; ${visitor.lives} and ${agent.lives} connections`);
  return played;
}

describe("against a real server", { concurrency: true }, () => {
  test("a connection that is cut", { timeout: 150_000 }, async (context) => {
    const { proxy, visitor } = await talk(context, async ({ proxy: line }) => {
      await sleep(200 + Math.random() * 1_500);
      await line.lose(300);
    });
    assert.ok(proxy.cuts >= 4 && visitor.lives >= 3, `${proxy.cuts} cuts, ${visitor.lives} connections`);
  });

  test("a server that is killed", { timeout: 150_000 }, async (context) => {
    let kills = 0;
    const { visitor } = await talk(context, async ({ server, proxy }) => {
      await sleep(1_000 + Math.random() * 2_000);
      await proxy.lose(300, () => server.killAndStart());
      kills++;
    });
    assert.ok(kills >= 2 && visitor.lives >= 2, `${kills} kills, ${visitor.lives} connections`);
  });

  test("a token that ends", { timeout: 90_000 }, async (context) => {
    const server = await Server.start(context, program, { DESKWIRE_ACCESS_TOKEN_SECONDS: "10" });
    const first = await newVisitor(server.base, "Mei");
    const opened = await call(server.base, first.access_token, "/conversations", { subject: "a token" });
    const visitor = new Device(context, server.base, "phone", first);
    await sleep(12_000);
    visitor.client.send(opened["conversation"].id, "text", { text: "still here" });
    await visitor.until("the message is shown", () => visitor.shown.some((entry) => textOf(entry) === "still here"));
    assert.equal(visitor.lives, 1, "the socket outlives its token");
    assert.notEqual(visitor.session.accessToken(), first.access_token);
    // Stopped until the token ended: the server refuses it, and the client gets another one.
    visitor.client.stop();
    await sleep(10_500);
    visitor.client.start();
    await visitor.until("it is live again", () => visitor.lives === 2);
    assert.equal(visitor.over, undefined);
  });

  test("tabs that share a session", { timeout: 60_000 }, async (context) => {
    const server = await Server.start(context, program);
    const tokens = await newVisitor(server.base, "Mei");
    await sleep(1_100); // tokens of one second may be the same text
    const plain = globalThis.fetch;
    let refreshes = 0;
    context.after(() => (globalThis.fetch = plain));
    globalThis.fetch = (...request) => {
      refreshes += String(request[0]) === `${server.base}/api/v1/auth/refresh` ? 1 : 0;
      return plain(...request);
    };
    const storage = memory();
    const lock = defaultLock();
    const tabs = [1, 2, 3].map(() => new Session(server.base, storage, tokens, lock));
    const fresh = await Promise.all(tabs.map((tab) => tab.refresh(tokens.access_token)));
    assert.equal(refreshes, 1, "one tab refreshes, the others read what it stored");
    assert.equal(new Set(fresh).size, 1);
    assert.notEqual(fresh[0], tokens.access_token);
    await call(server.base, fresh[0], "/inbox");
    await sleep(1_100);
    assert.notEqual(await tabs[1]?.refresh(fresh[0] ?? ""), fresh[0], "the stored refresh token is the newest one");
  });
});
