// The panel "who calls": signing in, making a visitor, and the two tokens, which may also be typed in.
import { element, keep, known, newVisitor, signIn } from "./session.js";

/** Fills the place with the panel; `compact` leaves the token fields out. */
export function panel(place, { compact = false } = {}) {
  const tenant = element("input", { name: "tenant", autocomplete: "organization", required: true });
  const name = element("input", { name: "name", autocomplete: "username", required: true });
  const password = element("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const nickname = element("input", { name: "nickname", autocomplete: "off" });
  const staffState = element("span", { role: "status", class: "status", id: "staff-state" });
  const visitorState = element("span", { role: "status", class: "status", id: "visitor-state" });
  tenant.value = known.tenant;
  name.value = "admin";
  nickname.value = "Mei";

  const staff = element("form", { id: "sign-in" },
    element("div", { class: "row" },
      element("label", {}, "Tenant", tenant),
      element("label", {}, "Name", name),
      element("label", {}, "Password", password),
      element("button", { type: "submit" }, "Sign in")),
    element("p", {}, staffState));
  const visitor = element("form", { id: "new-visitor" },
    element("div", { class: "row" },
      element("label", {}, "Nickname", nickname),
      element("button", { type: "submit" }, "New visitor")),
    element("p", {}, visitorState));
  staff.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await signIn(tenant.value.trim(), name.value, password.value);
    if (answer.ok) password.value = "";
    else told(staffState, answer);
  });
  visitor.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await newVisitor(tenant.value.trim(), nickname.value);
    if (!answer.ok) told(visitorState, answer);
  });

  const tokens = ["staff", "visitor"].map((role) => {
    const field = element("input", { name: `${role}-token`, spellcheck: "false", autocomplete: "off" });
    field.addEventListener("change", () => keep({ [role]: field.value ? { access_token: field.value.trim() } : undefined }));
    return { role, field };
  });
  place.replaceChildren(
    element("h3", {}, "Staff"), staff, element("h3", {}, "Visitor"), visitor,
    ...(compact ? [] : [element("details", {}, element("summary", {}, "Access tokens"),
      ...tokens.map(({ role, field }) => element("label", {}, `Access token, ${role}`, field)))]),
  );

  const show = () => {
    mark(staffState, known.staff, "not signed in: the first start prints the password of demo's admin");
    mark(visitorState, known.visitor, "no visitor yet");
    for (const { role, field } of tokens) field.value = known[role]?.access_token ?? "";
  };
  addEventListener("known", show);
  show();
}

function mark(place, who, otherwise) {
  place.className = who ? "status good" : "status";
  place.textContent = who ? `${who.member ? `${who.member.nickname || who.member.login_name} (${who.member.role})` : "token as typed"}` : otherwise;
}

function told(place, answer) {
  place.className = "status bad";
  place.textContent = answer.body?.detail ?? "No answer";
}
