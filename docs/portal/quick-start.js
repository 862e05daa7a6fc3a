// The quick start: each step calls this server and shows what it sent and got.
import { panel } from "./panel.js";
import { api, element, keep, known, newKey, showAnswer } from "./session.js";

panel(document.getElementById("who"));

const key = newKey();
const answerKey = newKey();

/** The steps by the id of their place: who calls, and what. */
const STEPS = {
  open: () => ["visitor", "POST", "/conversations", {
    subject: "Order 1001",
    message: { client_msg_id: key, kind: "text", content: { text: "Where is my parcel?" } },
  }],
  waiting: () => ["staff", "GET", "/conversations?status=open"],
  claim: () => ["staff", "POST", `/conversations/${known.conversation}/claim`, {}],
  answer: () => ["staff", "POST", `/conversations/${known.conversation}/messages`, {
    client_msg_id: answerKey, kind: "text", content: { text: "It arrives tomorrow." },
  }],
  inbox: () => ["visitor", "GET", "/inbox"],
  log: () => ["visitor", "GET", `/conversations/${known.conversation}/entries`],
};

for (const [id, step] of Object.entries(STEPS)) {
  const place = document.getElementById(`step-${id}`);
  const button = element("button", { type: "button", class: "main" }, "Run");
  const result = element("div", { class: "result", role: "status" });
  place.append(element("div", { class: "buttons" }, button), result);
  button.addEventListener("click", async () => {
    const [role, method, path, body] = step();
    const missing = !known[role]
      ? `First ${role === "staff" ? "sign in" : "make a visitor"}, above.`
      : path.includes("undefined") && "First open a conversation, above.";
    if (missing) {
      result.replaceChildren(element("p", { class: "error" }, missing));
      return;
    }
    button.disabled = true;
    const answer = await api(method, path, { role, body });
    button.disabled = false;
    if (answer.ok && id === "open") keep({ conversation: answer.body.conversation.id });
    showAnswer(result, answer);
    const sent = body === undefined ? "" : ` ${JSON.stringify(body)}`;
    result.prepend(element("p", {}, element("code", {}, `${method} /api/v1${path}${sent}`)));
  });
}
