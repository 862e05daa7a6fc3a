// The console: a visitor and somebody of the staff side by side, with every frame of both.
import { Line } from "./line.js";
import { panel } from "./panel.js";
import { api, element, fresh, keep, known, newKey, showAnswer } from "./session.js";

panel(document.getElementById("who"), { compact: true });

/** Frames that are kept on the page, for each side. */
const KEPT = 300;

class Side {
  constructor(role) {
    this.role = role;
    this.place = document.getElementById(`side-${role}`);
    this.frames = this.part("frames");
    this.line = this.newLine();
    this.on("connect", () => this.line.connect());
    this.on("drop", () => this.line.drop());
    this.on("clear", () => this.frames.replaceChildren());
    this.part("automatic").addEventListener("change", ({ target }) => { this.line.automatic = target.checked; });
    this.part("say").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = this.part("text");
      if (field.value.trim()) this.say(field.value.trim());
      field.value = "";
      field.focus();
    });
    this.part("raw").addEventListener("submit", (event) => {
      event.preventDefault();
      this.sendRaw();
    });
    const choice = this.part("choice");
    const choose = () => {
      const sample = choice.selectedOptions[0].dataset.sample;
      this.part("frame").value = sample.replace(/("conversation_id": )"[^"]*"/, (_, name) => `${name}"${known.conversation ?? ""}"`)
        .replace(/("client_msg_id": )"[^"]*"/, (_, name) => `${name}"${newKey()}"`);
    };
    choice.addEventListener("change", choose);
    choice.value = "ping";
    choose();
    this.show();
  }

  newLine() {
    const line = new Line({
      device: `console-${this.role}`,
      token: (holds) => fresh(this.role, holds),
      tell: (what, value) => this.told(line, what, value),
    });
    return line;
  }

  part(name) {
    return this.place.querySelector(`[data-part=${name}]`);
  }

  on(name, act) {
    this.part(name).addEventListener("click", act);
  }

  told(line, what, value) {
    // Before the constructor of the line is done there is nothing to show.
    if (this.line !== line) return;
    if (what === "frame") this.add(value.out ? "out" : "in", value.frame.type, value.frame);
    if (what === "note") this.add("note", value);
    if (what === "state") {
      this.add("note", `${value.state}${value.why ? `: ${value.why}` : ""}`);
      if (value.state === "live" && this.role === "staff") this.line.frame("watch", { waiting: true });
    }
    this.show();
  }

  /** Adds a line to the list of frames; tokens are not shown. */
  add(kind, title, frame) {
    const mark = { out: "→", in: "←", rest: "⇄", note: "·" }[kind];
    const time = element("time", {}, new Date().toISOString().slice(11, 23));
    const head = `${mark} ${title}`;
    const text = frame && JSON.stringify(frame, (name, value) => (/token$/.test(name) && typeof value === "string" ? "…" : value), 2);
    const item = element("li", { class: kind, "data-type": frame?.type });
    if (text) {
      item.append(element("details", {}, element("summary", {}, time, ` ${head}`), element("pre", {}, text)));
    } else {
      item.append(time, ` ${head}`);
    }
    const atEnd = this.frames.scrollTop + this.frames.clientHeight > this.frames.scrollHeight - 40;
    this.frames.append(item);
    while (this.frames.childElementCount > KEPT) this.frames.firstElementChild.remove();
    if (atEnd) this.frames.scrollTop = this.frames.scrollHeight;
  }

  /** A request beside the socket, shown among the frames. */
  async rest(method, path, body) {
    const answer = await api(method, path, { role: this.role, body });
    this.add("rest", `${method} ${path} ${answer.status}`, { type: "rest", sent: body, got: answer.body });
    if (!answer.ok) this.add("note", answer.body?.detail ?? "no answer");
    return answer;
  }

  async say(text) {
    if (known.conversation) return this.line.say(known.conversation, text);
    if (this.role === "staff") return this.add("note", "the visitor begins: nothing is open yet");
    // A conversation is opened over REST, with its first message.
    const message = { client_msg_id: newKey(), kind: "text", content: { text } };
    const answer = await this.rest("POST", "/conversations", { subject: "From the console", message });
    if (answer.ok) keep({ conversation: answer.body.conversation.id });
  }

  sendRaw() {
    const place = this.part("raw-result");
    try {
      const frame = JSON.parse(this.part("frame").value);
      place.textContent = this.line.raw(frame) ? "" : "Connect first.";
    } catch (cause) {
      place.textContent = `No JSON: ${cause.message}`;
    }
  }

  show() {
    const { line } = this;
    const state = this.part("state");
    state.textContent = line.state;
    state.dataset.state = line.state;
    this.part("connect").textContent = line.cursor ? "Resume" : "Connect";
    this.part("connect").disabled = !known[this.role] || Boolean(line.socket) || line.state === "connecting";
    this.part("drop").disabled = !line.socket && line.state !== "connecting";
    const log = line.logs.get(known.conversation);
    this.part("facts").textContent =
      `position ${log?.position ?? "–"} · unread ${line.rows.get(known.conversation)?.unread ?? "–"} · ` +
      `outbox ${line.outbox.length} · cursor ${line.cursor ? `…${line.cursor.slice(-8)}` : "none"}`;
    const entries = [...(log?.entries.values() ?? [])].sort((one, other) => one.seq - other.seq);
    const talk = this.part("talk");
    talk.replaceChildren(
      ...entries.map((entry) => element("li", {}, element("small", {}, `${entry.seq} `),
        entry.content?.text ? element("span", {}, `${entry.sender?.nickname || entry.sender?.role || ""}: ${entry.content.text}`)
          : element("small", {}, entry.kind))),
      ...line.outbox.filter((one) => one.conversation_id === known.conversation)
        .map((one) => element("li", { class: "pending" }, `${one.content.text} (not acknowledged yet)`)),
    );
    talk.scrollTop = talk.scrollHeight;
  }
}

const visitor = new Side("visitor");
const staff = new Side("staff");
window.addEventListener("online", () => [visitor, staff].forEach(({ line }) => line.automatic && line.tries && line.connect()));

const claim = document.querySelector("#side-staff [data-part=claim]");
claim.addEventListener("click", async () => {
  await staff.rest("POST", `/conversations/${known.conversation}/claim`, {});
});

let members = [known.visitor?.member?.id, known.staff?.member?.id];
addEventListener("known", () => {
  claim.disabled = !known.conversation || !known.staff;
  // Another member: its own line, and no cursor of the one before.
  [visitor, staff].forEach((side, at) => {
    const member = known[side.role]?.member?.id;
    if (member !== members[at]) {
      side.line.automatic = false;
      side.line.drop();
      side.line = side.newLine();
      side.line.automatic = side.part("automatic").checked;
    }
    members[at] = member;
    side.show();
  });
});
claim.disabled = !known.conversation || !known.staff;
// For whoever asks the server by hand beside the console.
document.getElementById("ask-inbox").addEventListener("click", async () => {
  showAnswer(document.getElementById("inbox-result"), await api("GET", "/inbox", { role: "visitor" }));
});
