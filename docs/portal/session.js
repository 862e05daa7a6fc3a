// Who calls: the tokens of a visitor and of somebody of the staff, shared by the pages of this tab, and the calls that
// they make. Tokens live in the tab only (sessionStorage); passwords are not kept.

const KEY = "deskwire-portal";
const API = "/api/v1";

/** What is known so far: `tenant`, `visitor` and `staff` (as signed in), `conversation`, `seq`, `member`. */
export const known = load();

function load() {
  try {
    return { tenant: "demo", ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { tenant: "demo" };
  }
}

/** Keeps what is known, and tells whoever shows it. */
export function keep(changes) {
  Object.assign(known, changes);
  try {
    sessionStorage.setItem(KEY, JSON.stringify(known));
  } catch {
    // Then for this page only.
  }
  dispatchEvent(new CustomEvent("known"));
}

/** A key for a message that nobody has used. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return Array.from(bytes, (byte) => byte.toString(36).padStart(2, "0")).join("");
}

/** One request. `role`: "visitor", "staff" or nobody; `more`: further headers. Answers `{status, ok, headers, body, text}`; status 0: no answer. */
export async function call(method, path, { role, token, body, more } = {}) {
  const headers = { Accept: "application/json", ...more };
  const bearer = token ?? (role && (await fresh(role)));
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(path, { method, headers, body: text, signal: AbortSignal.timeout(20_000) });
    const answer = await response.text();
    return {
      status: response.status,
      ok: response.ok,
      headers: response.headers,
      text: answer,
      body: parsed(answer),
    };
  } catch (cause) {
    return { status: 0, ok: false, headers: new Headers(), text: String(cause), body: undefined };
  }
}

/** The same below the interface's path. */
export const api = (method, path, options) => call(method, API + path, options);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Remembers what an answer to a sign-in says. */
export function signedIn(role, body) {
  const { access_token, access_expires_at, refresh_token, member } = body;
  keep({ [role]: { access_token, access_expires_at, refresh_token, member } });
}

/** Signs somebody of the staff in. */
export async function signIn(tenant, name, password) {
  const answer = await api("POST", "/auth/login", { body: { tenant, name, password, device: "portal" } });
  if (answer.ok) {
    keep({ tenant });
    signedIn("staff", answer.body);
  }
  return answer;
}

/** Makes a visitor. What the last one did is forgotten. */
export async function newVisitor(tenant, nickname) {
  const answer = await api("POST", "/visitors", { body: { tenant, nickname, device: "portal" } });
  if (answer.ok) {
    keep({ tenant, conversation: undefined, seq: undefined });
    signedIn("visitor", answer.body);
  }
  return answer;
}

const refreshing = {};

/** An access token that holds for so many milliseconds yet; a token that was typed in is taken as it is. */
export async function fresh(role, holds = 30_000) {
  const who = known[role];
  if (!who?.refresh_token || Date.parse(who.access_expires_at) - Date.now() > holds) return who?.access_token;
  // Two that refresh at once would use one token twice.
  refreshing[role] ??= api("POST", "/auth/refresh", { body: { refresh_token: who.refresh_token } })
    .then((answer) => {
      if (answer.ok) signedIn(role, answer.body);
    })
    .finally(() => {
      refreshing[role] = undefined;
    });
  await refreshing[role];
  return known[role]?.access_token;
}

/** Remembers ids and positions that an answer tells, for the next request. */
export function learn(operation, body) {
  if (!body || typeof body !== "object") return;
  const found = {};
  if (operation === "login") signedIn("staff", body);
  if (operation === "create_visitor" || operation === "identify_visitor") signedIn("visitor", body);
  const conversation = body.conversation?.id ?? (/^(list_conversations)$/.test(operation) ? body.data?.[0]?.id : undefined);
  if (conversation) found.conversation = conversation;
  // Of a message in the conversation itself; notes and notices have numbers of their own.
  const seq = operation === "open_conversation" ? body.entry?.seq : operation === "send_message" ? body.seq : undefined;
  if (seq) found.seq = seq;
  const member = body.member?.id ?? (operation === "list_members" ? body.data?.at(-1)?.id : undefined);
  if (member) found.member = member;
  keep(found);
}

/** Makes an element: `element("p", {class: "note"}, "text", child)`. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** Shows an answer in an element. */
export function showAnswer(place, answer) {
  const kind = answer.ok ? "status good" : "status bad";
  const words = answer.status === 0 ? "No answer" : `${answer.status}${answer.ok ? "" : ` ${answer.body?.code ?? ""}`}`;
  const text = answer.body === undefined ? answer.text : JSON.stringify(answer.body, null, 2);
  place.replaceChildren(
    element("p", { class: kind }, words),
    ...(text ? [element("pre", { tabindex: "0" }, text.length > 40_000 ? `${text.slice(0, 40_000)}\n…` : text)] : []),
  );
  const link = answer.body?.code;
  if (!answer.ok && typeof link === "string") {
    place.append(element("p", {}, element("a", { href: `/docs/errors#${encodeURIComponent(link)}` }, `What ${link} means`)));
  }
}
