// Node 18 or later, without packages. Runs on your server: the secret never leaves it.
import { createHmac, randomUUID } from "node:crypto";

export function identityToken({ kid, secret, customer }) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { ...customer, jti: randomUUID(), exp: Math.floor(Date.now() / 1000) + 300 };
  const signed = `${part({ alg: "HS256", typ: "JWT", kid })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

// The customer of your shop's own session; `sub` is your id of it.
const token = identityToken({
  kid: process.env.DESK_KEY_ID,
  secret: process.env.DESK_KEY_SECRET,
  customer: { sub: "customer-17", nickname: "Zoë \"Mei\" 王", email: "mei@example.com" },
});
console.log(token);
