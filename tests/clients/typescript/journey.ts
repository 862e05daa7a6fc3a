// One conversation through the TypeScript client (typescript-fetch) that openapi-generator makes from the OpenAPI
// document. It stands beside the generated files when it is compiled.
// Usage: BASE=… NEWER_BASE=… PASSWORD=… node journey.js
import assert from "node:assert/strict";
import {
  AuthApi,
  GivenCloseReason,
  Configuration,
  ConversationsApi,
  MessageKind,
  MessagesApi,
  type Problem,
  ProblemFromJSON,
  ResponseError,
  SyncApi,
  VisitorsApi,
} from "./index.js";

const base = process.env["BASE"] ?? "";
const newer = process.env["NEWER_BASE"] ?? "";
const password = process.env["PASSWORD"] ?? "";

function settings(basePath: string, accessToken?: string): Configuration {
  return new Configuration({ basePath, accessToken });
}

function message(clientMsgId: string, text: string) {
  return { clientMsgId, kind: MessageKind.Text, content: { text } };
}

/** The body of an answer that is not 2xx. */
async function refused(call: Promise<unknown>): Promise<Problem> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ResponseError) return ProblemFromJSON(await error.response.json());
    throw error;
  }
  throw new Error("the call was not refused");
}

async function journey(): Promise<void> {
  const nobody = settings(base);
  const login = { tenant: "demo", name: "admin", password, device: "typescript-fetch" };
  const staffToken = (await new AuthApi(nobody).login({ login })).accessToken;
  const visitorToken = (await new VisitorsApi(nobody).createVisitor({ createVisitor: { tenant: "demo" } })).accessToken;
  const staff = settings(base, staffToken);
  const visitor = settings(base, visitorToken);

  const openConversation = { subject: "Order 1001", message: message("m1", "Where is my parcel?") };
  const opened = await new ConversationsApi(visitor).openConversation({ openConversation });
  assert.equal(opened.created, true);
  const id = opened.conversation.id;

  const sendMessage = message("m2", "It is urgent.");
  const sent = await new MessagesApi(visitor).sendMessage({ id, sendMessage });
  const again = await new MessagesApi(visitor).sendMessage({ id, sendMessage });
  assert.deepEqual([again.duplicate, again.seq], [true, sent.seq], "the same key is the same message");

  const waiting = await new ConversationsApi(staff).listConversations({ status: "open", limit: 200 });
  assert.ok(waiting.data.some((one) => one.id === id));
  const claimed = await new ConversationsApi(staff).claimConversation({ id });
  assert.equal(claimed.status, "pending");
  await new MessagesApi(staff).sendMessage({ id, sendMessage: message("a1", "明天送到。") });

  const seqs: number[] = [];
  for (let more = true; more; ) {
    const page = await new MessagesApi(visitor).listEntries({ id, afterSeq: seqs.at(-1) ?? 0, limit: 2 });
    seqs.push(...page.data.map((entry) => entry.seq));
    more = page.more;
  }
  assert.deepEqual(seqs, seqs.map((_, index) => index + 1), "the log is dense");
  assert.ok(seqs.length > 2);

  const forbidden = await refused(new ConversationsApi(visitor).claimConversation({ id }));
  assert.deepEqual([forbidden.status, forbidden.code], [403, "forbidden"]);
  const wrong = { openConversation: { subject: "x".repeat(201) } };
  const long = await refused(new ConversationsApi(visitor).openConversation(wrong));
  assert.deepEqual([long.errors?.[0]?.pointer, long.errors?.[0]?.code], ["/subject", "too_long"]);

  const closeConversation = { reason: GivenCloseReason.Resolved };
  const close = (ifMatch: string) => new ConversationsApi(staff).closeConversation({ id, closeConversation, ifMatch });
  const outdated = await refused(close('"1"'));
  assert.deepEqual([outdated.status, outdated.code], [412, "version_mismatch"]);
  assert.equal((await close(`"${claimed.version}"`)).status, "closed");

  // A newer server says more than the document knew: nothing of it may make an answer unreadable.
  const later = settings(newer, visitorToken);
  const page = await new MessagesApi(later).listEntries({ id, afterSeq: 0 });
  assert.ok(page.data.some((entry) => entry.kind === "unknown_kind"));
  assert.equal((await new ConversationsApi(later).getConversation({ id })).status, "unknown_closed");
  assert.equal((await new SyncApi(later).listInbox()).data.length, 1);
  assert.ok((await new ConversationsApi(settings(newer, staffToken)).listConversations()).data.length > 0);
  assert.equal((await new AuthApi(later).getMe()).role, "unknown_customer");
  const refusal = await refused(new ConversationsApi(later).claimConversation({ id }));
  assert.equal(refusal.code, "unknown_forbidden");
  console.log(`typescript-fetch: ${seqs.length} entries read through the generated client; a newer server is understood`);
}

void journey().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
