// The REST reference: the forms that call operations, filled with what earlier answers told.
import "./filter.js";
import { panel } from "./panel.js";
import { call, element, known, learn, newKey, showAnswer } from "./session.js";

panel(document.getElementById("who"));

/** What customers do by themselves; everything else is tried as staff first. */
const AS_VISITOR = new Set(["open_conversation", "identify_visitor"]);

for (const form of document.querySelectorAll(".try form")) prepare(form);

function prepare(form) {
  const { operation, method, path } = form.dataset;
  const isPublic = form.dataset.public === "true";
  const role = element("select", { name: "role" }, ...["staff", "visitor"].map((name) => element("option", { value: name }, name)));
  role.value = AS_VISITOR.has(operation) ? "visitor" : "staff";
  if (!isPublic) form.prepend(element("label", {}, "Called by", role));
  const body = form.elements.body;
  if (body) freshBody(body);
  form.closest("details").addEventListener("toggle", () => {
    if (form.closest("details").open) fill(form, path, body);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const place = form.querySelector(".result");
    const sender = isPublic ? undefined : role.value;
    if (sender && !known[sender]) {
      place.replaceChildren(element("p", { class: "error" }, sender === "staff" ? "Sign in first: " : "Make a visitor first: ",
        element("a", { href: "#who" }, "who calls")));
      return;
    }
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    const answer = await call(method, address(form, path), { role: sender, body: body?.value, more: headers(form) });
    button.disabled = false;
    if (answer.ok) learn(operation, answer.body);
    showAnswer(place, answer);
    place.prepend(element("p", {}, element("code", {}, `${method} ${address(form, path)}`)));
  });
}

/** A body of one's own: the tenant in use, and keys that nobody has used. */
function freshBody(body) {
  body.value = body.value
    .replace(/("client_msg_id": )"[^"]*"/g, (_, name) => `${name}"${newKey()}"`)
    .replace(/("tenant": )"[^"]*"/, (_, name) => `${name}${JSON.stringify(known.tenant)}`);
}

/** Puts in ids and positions that are known by now, where nothing was typed. */
function fill(form, path, body) {
  const isConversation = path.includes("/conversations/{id}");
  const values = {
    id: isConversation ? known.conversation : path.includes("/members/{id}") ? known.member : undefined,
    member_id: known.member,
    seq: known.seq,
  };
  for (const field of form.querySelectorAll("input[data-in=path]")) {
    if (!field.value || field.dataset.filled === field.value) {
      field.value = values[field.dataset.name] ?? "";
      field.dataset.filled = field.value;
    }
  }
  if (body && form.dataset.operation === "refresh_tokens" && known.staff?.refresh_token) {
    body.value = JSON.stringify({ refresh_token: known.staff.refresh_token }, null, 2);
  }
}

/** The parameters that are headers, where something was typed. */
function headers(form) {
  const typed = Array.from(form.querySelectorAll("input[data-in=header]")).filter((field) => field.value);
  return Object.fromEntries(typed.map((field) => [field.dataset.name, field.value]));
}

function address(form, path) {
  let filled = path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("input[data-in]")) {
    const { in: place, name } = field.dataset;
    if (place === "path") filled = filled.replace(`{${name}}`, encodeURIComponent(field.value));
    else if (place === "query" && field.value) query.set(name, field.value);
  }
  return query.size ? `${filled}?${query}` : filled;
}

// A link to an operation opens its form's place, also when the page was long in coming.
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
