"""Sends e-mails through a running server to aiosmtpd and reads them with Python's own parser.

Finds BASE, PASSWORD (of demo's admin) and CERTIFICATES, a folder with trusted.pem and strange.pem and their keys, of which
the running server trusts the first. See .ci/mail.
"""

import email
import email.policy
import json
import logging
import os
import ssl
import time
import urllib.request
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

BASE = os.environ["BASE"] + "/api/v1"
FOLDER = os.environ["CERTIFICATES"]
USER, WORD = b"shop", b"s3cret-word"
SUBJECT = "订单 1001 已付款：Grüße & <thanks> — a subject that is so long that it has to be folded somewhere 🎉"
TEXT = "您好，\n.\n..dots and a line that is long: " + "x" * 2000 + "\nBye"
HTML = "<p>您好，<b>1001</b></p>"


def call(method, path, body=None, token=""):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


class Box:
    """Keeps what it is given."""

    def __init__(self):
        self.letters = []

    async def handle_DATA(self, server, session, envelope):
        self.letters.append((envelope, server.transport.get_extra_info("sslcontext") is not None, session.authenticated))
        return "250 2.0.0 kept"


def authenticator(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, WORD)
    return AuthResult(success=right)


def context(name):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{FOLDER}/{name}.pem", f"{FOLDER}/{name}.key")
    return made


class Server(Controller):
    """Asks whether it is there at the port that it was given."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def server(box, security, name="trusted"):
    more = {"authenticator": authenticator, "auth_require_tls": security == "starttls"}
    if security == "starttls":
        more |= {"tls_context": context(name), "require_starttls": True}
    if security == "tls":
        more |= {"ssl_context": context(name)}
    made = Server(box, hostname="127.0.0.1", port=0, ready_timeout=30, **more)
    made.start()
    return made


def main():
    # It prints every handshake that a client breaks off, as it should here.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    body = {"tenant": "demo", "name": "admin", "password": os.environ["PASSWORD"], "device": "mail"}
    token = call("POST", "/auth/login", body)["access_token"]

    def account(box_server, security):
        smtp = {
            "host": "localhost", "port": box_server.port, "security": security,
            "username": USER.decode(), "password": WORD.decode(),
            "from_address": "shop@商店.example", "from_name": "商店, \"The Shop\"", "reply_to": "help@shop.example",
        }
        made = call("POST", "/channel-accounts", {"name": security, "provider": "smtp", "smtp": smtp}, token)
        assert WORD.decode() not in json.dumps(made), made
        return made["account"]["id"]

    variables = [{"name": name, "type": "string", "required": True, "sample": "x"} for name in ("subject", "text")]
    content = {"subject": "{{ subject }}", "text": "{{ text }}", "html": HTML}
    body = {"name": "Paid", "channel": "email", "email": content, "variables": variables}
    template = call("POST", "/message-templates", body, token)["id"]
    call("POST", f"/message-templates/{template}/publish", {}, token)
    eva = call("POST", "/message-recipients", {"name": "Eva", "email": "eva@邮件.example"}, token)["id"]

    def rule_and_event(key, account_id, subject):
        body = {
            "title": key, "key": key, "template_id": template, "account_id": account_id,
            "recipients": [{"type": "recipient", "id": eva}],
        }
        call("POST", "/message-rules", body, token)
        payload = {"subject": subject, "text": TEXT}
        return call("POST", "/message-events", {"key": key, "payload": payload}, token)["id"]

    def once(event, settled):
        for _ in range(300):
            sends = call("GET", f"/message-events/{event}", token=token)["sends"]
            if sends and settled(sends[0]):
                return sends[0]
            time.sleep(0.1)
        raise AssertionError(f"nothing came of it: {sends}")

    def send(key, account_id):
        event = rule_and_event(key, account_id, SUBJECT)
        return once(event, lambda one: one["attempts"] and one["attempts"][-1]["phase"] == "ended")

    for security in ("none", "starttls", "tls"):
        box = Box()
        mail = server(box, security)
        sent = send(security, account(mail, security))
        mail.stop()
        assert sent["send"]["status"] == "success", sent
        ((envelope, secure, authenticated),) = box.letters
        assert secure == (security != "none") and authenticated, (security, secure, authenticated)
        assert envelope.mail_from == "shop@xn--czrs0t.example", envelope.mail_from
        assert envelope.rcpt_tos == ["eva@" + "邮件".encode("idna").decode() + ".example"]
        read(envelope.content, envelope.rcpt_tos[0], sent["send"])
        print(f"{security}: arrived")

    box = Box()
    mail = server(box, "none")
    account_id = account(mail, "none")
    event = rule_and_event("injection", account_id, "Hi\r\nBcc: all@shop.example\r\n\r\nboo")
    failed = once(event, lambda one: one["send"]["status"] == "failed")
    mail.stop()
    assert failed["send"]["reason"] == "template" and not box.letters, failed
    print("a subject of two lines is refused")

    for security in ("starttls", "tls"):
        box = Box()
        mail = server(box, security, "strange")
        account_id = account(mail, security)
        sent = send(f"strange.{security}", account_id)
        mail.stop()
        assert sent["send"]["status"] == "unsent" and not box.letters, sent
        assert sent["attempts"][-1]["outcome"] == "configuration", sent
        assert "certificate" in sent["attempts"][-1]["message"], sent
        paused = call("GET", f"/channel-accounts/{account_id}", token=token)
        assert paused["pause_reason"] == "configuration", paused
        print(f"{security}: a certificate that nobody vouches for is refused")


def parsed(content):
    assert all(line.endswith(b"\r\n") and len(line) <= 998 for line in content.splitlines(keepends=True)), content
    assert content.isascii(), content
    message = email.message_from_bytes(content, policy=email.policy.default)
    for part in message.walk():
        assert not part.defects, part.defects
        for name, value in part.items():
            assert not value.defects, (name, value.defects)
    return message


def read(content, to, sent):
    message = parsed(content)
    assert message["Subject"] == SUBJECT, message["Subject"]
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("商店, \"The Shop\"", "shop@xn--czrs0t.example"), sender
    assert message["To"].addresses[0].addr_spec == to, message["To"]
    assert message["Reply-To"].addresses[0].addr_spec == "help@shop.example", message["Reply-To"]
    assert message["Message-ID"] == sent["provider_message_id"] == f"<{sent['id']}@xn--czrs0t.example>", sent
    assert message["Date"].datetime.timestamp() == time_of(sent["created_at"]), (message["Date"], sent["created_at"])
    assert message["Auto-Submitted"] == "auto-generated" and message["Bcc"] is None, message.items()
    assert message.get_content_type() == "multipart/alternative", message.get_content_type()
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().splitlines() == TEXT.splitlines(), text.get_content()
    assert html.get_content().splitlines() == [HTML], html.get_content()


def time_of(text):
    import datetime

    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


main()
