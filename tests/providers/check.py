"""Sends messages through a running server to this program, which has them checked by clients of others: Svix and Standard
Webhooks, Alibaba Cloud, Tencent Cloud, Twilio, DingtalkChatbot and wechatpy. What providers report is signed by them too.

Finds BASE and PASSWORD (of demo's admin). The running server may speak to 127.0.0.1, and calls itself
https://desk.example. See .ci/providers.
"""

import base64
import collections
import http.server
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from unittest import mock

import standardwebhooks
import svix.webhooks
from Tea.request import TeaRequest
from alibabacloud_openapi_util.client import Client as Alibaba
from dingtalkchatbot.chatbot import DingtalkChatbot
from tencentcloud.common import credential
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.common.http.request import RequestInternal
from twilio.request_validator import RequestValidator
from wechatpy import WeChatClient
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

HOST = os.environ["BASE"]
PUBLIC = "https://desk.example"
SECRET = "s3cret-of-the-check"
ROBOT_SECRET = "SEC000000000000000000000feb4ab488dfc5f5c6d8e7a2"
TEXT = "4711 ~*'(商) & more=1+2%20/?"
APP_ID, CALLBACK_TOKEN = "wxb11529c136998cb6", "token4711"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
ACCOUNT_SID = "AC00000000000000000000000000000001"
TWILIO = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"

Got = collections.namedtuple("Got", "path query headers body")
got = collections.defaultdict(list)


def answer_to(path):
    """What each provider answers."""
    ok = {"errcode": 0, "errmsg": "ok"}
    return {
        "/aliyun": {"Code": "OK", "Message": "OK", "BizId": "900619746936498440^0", "RequestId": "r"},
        "/tencent": {"Response": {"RequestId": "r", "SendStatusSet": [
            {"SerialNo": "2028:f825e6", "Fee": 1, "SessionContext": "", "PhoneNumber": "+8613800138000", "Code": "Ok",
             "Message": "send success", "IsoCode": "CN"}]}},
        TWILIO: {"sid": "SM" + "0" * 32, "status": "queued", "error_code": None},
        "/dingtalk": ok,
        "/wechat/cgi-bin/stable_token": {"access_token": "TOKEN/1+=", "expires_in": 7200},
        "/wechat/cgi-bin/message/template/send": ok | {"msgid": 200228332},
    }.get(path, {})


class Provider(http.server.BaseHTTPRequestHandler):
    """Every provider, at its own path."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _, query = self.path.partition("?")
        got[path].append(Got(self.path, query, self.headers, body))
        answer = json.dumps(answer_to(path)).encode()
        self.send_response(201 if path == TWILIO else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def ask(method, url, body=b"", headers=None):
    """The status and the body of an answer."""
    request = urllib.request.Request(url, body if method != "GET" else None, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


class Desk:
    """The administrator of a shop."""

    def __init__(self, provider):
        self.provider, self.token, self.keys = provider, "", 0
        body = {"tenant": "demo", "name": "admin", "password": os.environ["PASSWORD"], "device": "providers"}
        self.token = self.call("POST", "/auth/login", body)["access_token"]

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        status, text = ask(method, f"{HOST}/api/v1{path}", json.dumps(body).encode(), headers)
        assert status < 300, (path, status, text)
        return json.loads(text)

    def account(self, provider, path, **settings):
        body = {"name": provider, "provider": provider, "url": self.provider + path} | settings
        return self.call("POST", "/channel-accounts", body)

    def template(self, channel, content):
        variables = [{"name": "text", "type": "string", "required": True, "sample": "x"}]
        body = {"name": channel, "channel": channel, channel: content, "variables": variables}
        template = self.call("POST", "/message-templates", body)["id"]
        self.call("POST", f"/message-templates/{template}/publish", {})
        return template

    def send(self, account, template, recipients=None, text=TEXT):
        """Makes a rule and an event for it; gives the event and its send when it was accepted."""
        self.keys += 1
        key = f"check.{self.keys}"
        body = {"title": key, "key": key, "template_id": template, "account_id": account["id"]}
        self.call("POST", "/message-rules", body | ({"recipients": recipients} if recipients else {}))
        event = self.call("POST", "/message-events", {"key": key, "payload": {"text": text}})["id"]
        return event, self.until(event, "success")

    def until(self, event, status):
        for _ in range(600):
            sends = self.call("GET", f"/message-events/{event}")["sends"]
            if sends and sends[0]["send"]["status"] == status:
                return sends[0]["send"]
            time.sleep(0.1)
        raise AssertionError(f"not {status}: {sends}")


def webhooks(desk):
    made = desk.account("webhook", "/webhook")
    template = desk.template("webhook", {"type": "it.happened"})
    desk.send(made["account"], template)
    ((_, _, headers, body),) = got["/webhook"]
    assert json.loads(body)["type"] == "it.happened", body
    for verifier in (standardwebhooks.Webhook(made["secret"]), svix.webhooks.Webhook(made["secret"])):
        verifier.verify(body, dict(headers.items()))
        try:
            verifier.verify(body + b" ", dict(headers.items()))
        except (standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError):
            continue
        raise AssertionError("a changed body is taken")
    # After a rotation what is signed by both secrets is taken by who knows either.
    path = f"/channel-accounts/{made['account']['id']}/rotate_secret"
    rotated = desk.call("POST", path, {})["secret"]
    desk.send(made["account"], template)
    headers, body = got["/webhook"][1][2:]
    for secret in (made["secret"], rotated):
        standardwebhooks.Webhook(secret).verify(body, dict(headers.items()))
        svix.webhooks.Webhook(secret).verify(body, dict(headers.items()))
    print("webhooks: Svix and Standard Webhooks take them")


def text_messages(desk):
    content = {"text": "Your code is {{ text }}", "code": "SMS_123", "params": [{"name": "code", "value": "{{ text }}"}]}
    template = desk.template("sms", content)
    eva = desk.call("POST", "/message-recipients", {"name": "Eva", "phone": "+8613800138000"})["id"]
    eva = [{"type": "recipient", "id": eva}]

    settings = {"access_key_id": "LTAI5check", "access_key_secret": SECRET, "sign_name": "我的商店"}
    made = desk.account("aliyun_sms", "/aliyun", aliyun_sms=settings)
    desk.send(made["account"], template, eva)
    ((_, query, headers, body),) = got["/aliyun"]
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = TeaRequest()
    request.method, request.pathname = "POST", "/aliyun"
    request.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    request.headers = {name: headers[name] for name in signed}
    assert json.loads(request.query["TemplateParam"]) == {"code": TEXT}, request.query
    payload = Alibaba.hex_encode(Alibaba.hash(body, "ACS3-HMAC-SHA256"))
    expected = Alibaba.get_authorization(request, "ACS3-HMAC-SHA256", payload, "LTAI5check", SECRET)
    spaces = lambda text: text.replace(", ", ",")
    assert spaces(headers["authorization"]) == spaces(expected), (headers["authorization"], expected)
    print("Alibaba Cloud: the SDK signs the same")

    settings = {"secret_id": "AKIDcheck", "secret_key": SECRET, "sdk_app_id": "1400006666", "sign_name": "我的商店"}
    made = desk.account("tencent_sms", "/tencent", tencent_sms=settings)
    desk.send(made["account"], template, eva)
    ((_, _, headers, body),) = got["/tencent"]
    assert json.loads(body)["TemplateParamSet"] == [TEXT], body
    client = AbstractClient(credential.Credential("AKIDcheck", SECRET), "ap-guangzhou")
    # Whatever the path, "/" is signed: the provider's own address has no other.
    request = RequestInternal(headers["host"], "POST", "/")
    request.data = body
    request.header = {"Content-Type": headers["content-type"], "Host": headers["host"],
                      "X-TC-Timestamp": headers["x-tc-timestamp"]}
    day = time.strftime("%Y-%m-%d", time.gmtime(int(headers["x-tc-timestamp"])))
    expected = client._get_tc3_signature({}, request, day, "sms", SECRET)
    assert headers["authorization"].endswith(f"Signature={expected}"), (headers["authorization"], expected)
    assert f"AKIDcheck/{day}/sms/tc3_request" in headers["authorization"]
    print("Tencent Cloud: the SDK signs the same")

    settings = {"account_sid": ACCOUNT_SID, "auth_token": SECRET, "from": "+15005550006"}
    made = desk.account("twilio_sms", "/twilio", twilio_sms=settings)
    event, send = desk.send(made["account"], template, eva)
    ((_, _, headers, body),) = got[TWILIO]
    fields = dict(urllib.parse.parse_qsl(body.decode()))
    assert fields["Body"] == f"Your code is {TEXT}", fields
    basic = base64.b64encode(f"{ACCOUNT_SID}:{SECRET}".encode()).decode()
    assert headers["authorization"] == f"Basic {basic}"
    address = fields["StatusCallback"]
    assert address.startswith(PUBLIC), address
    report = {"MessageSid": send["provider_message_id"], "MessageStatus": "delivered", "To": "+8613800138000"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for secret, statuses in (("another", (401, 403)), (SECRET, (200, 204))):
        signature = RequestValidator(secret).compute_signature(address, report)
        target = address.replace(PUBLIC, HOST)
        body = urllib.parse.urlencode(report).encode()
        status, text = ask("POST", target, body, form | {"X-Twilio-Signature": signature})
        assert status in statuses, (secret, status, text)
    desk.until(event, "delivered")
    print("Twilio: what its library signs is taken, and nothing else")


def robots(desk):
    made = desk.account("dingtalk_robot", "/dingtalk", secret=ROBOT_SECRET)
    desk.send(made["account"], desk.template("robot", {"format": "text", "text": "News: {{ text }}"}))
    ((path, query, _, body),) = got["/dingtalk"]
    assert json.loads(body)["text"]["content"] == f"News: {TEXT}", body
    fields = dict(urllib.parse.parse_qsl(query))
    with mock.patch("time.time", return_value=int(fields["timestamp"]) / 1000):
        theirs = DingtalkChatbot("http://127.0.0.1/dingtalk?access_token=t", secret=ROBOT_SECRET).webhook
    assert dict(urllib.parse.parse_qsl(theirs.partition("?")[2]))["sign"] == fields["sign"], (theirs, path)
    print("DingTalk: DingtalkChatbot signs the same")


def wechat(desk):
    settings = {
        "app_id": APP_ID, "app_secret": SECRET, "callback_token": CALLBACK_TOKEN, "encoding_aes_key": AES_KEY,
    }
    made = desk.account("wechat", "/wechat", wechat=settings)["account"]
    content = {
        "template_id": "T-shipped", "data": [{"name": "thing1", "value": "{{ text }}", "color": "#173177"}],
        "url": "https://shop.example/orders", "mini_program": {"app_id": "wx2", "page_path": "orders"},
    }
    eva = desk.call("POST", "/message-recipients", {"name": "Eva"})["id"]
    body = {"account_id": made["id"], "person_id": eva, "openid": "oEva"}
    desk.call("POST", "/message-identities", body)
    event, send = desk.send(made, desk.template("wechat", content), [{"type": "recipient", "id": eva}], "Boots & 鞋")
    ((_, query, _, body),) = got["/wechat/cgi-bin/message/template/send"]
    assert dict(urllib.parse.parse_qsl(query)) == {"access_token": "TOKEN/1+="}, query
    ours = json.loads(body)
    assert ours.pop("client_msg_id") == send["id"], ours
    client = WeChatClient(APP_ID, SECRET, access_token="t")
    client.API_BASE_URL = f"{desk.provider}/wechatpy/"
    data = {"thing1": {"value": "Boots & 鞋", "color": "#173177"}}
    client.message.send_template(
        "oEva", "T-shipped", data, "https://shop.example/orders", {"appid": "wx2", "pagepath": "orders"}
    )
    ((_, _, _, body),) = got["/wechatpy/message/template/send"]
    assert json.loads(body) == ours, (body, ours)
    print("WeChat: wechatpy sends the same")

    def signed(token, more=()):
        stamp, nonce = str(int(time.time())), "nonce" + str(time.time_ns())
        signer = WeChatSigner()
        signer.add_data(token, stamp, nonce)
        return {"signature": signer.signature, "timestamp": stamp, "nonce": nonce} | dict(more)

    address = HOST + made["receipt_path"]
    for token, right in ((CALLBACK_TOKEN, True), ("another1", False)):
        query = urllib.parse.urlencode(signed(token, {"echostr": "5838479218127813673"}))
        status, text = ask("GET", f"{address}?{query}")
        assert (status == 200 and text == "5838479218127813673") == right, (token, status, text)
    report = f"""<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oEva]]></FromUserName>
        <CreateTime>1395658920</CreateTime><MsgType><![CDATA[event]]></MsgType>
        <Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>{send["provider_message_id"]}</MsgID>
        <Status><![CDATA[success]]></Status></xml>"""
    strange = base64.b64encode(bytes(32)).decode().rstrip("=")
    for key, app_id, right in ((strange, APP_ID, False), (AES_KEY, "wx-other", False), (AES_KEY, APP_ID, True)):
        query = signed(CALLBACK_TOKEN)
        sealed = WeChatCrypto(CALLBACK_TOKEN, key, app_id).encrypt_message(report, query["nonce"], query["timestamp"])
        text = lambda name: sealed.partition(f"<{name}><![CDATA[")[2].partition("]]>")[0]
        query |= {"encrypt_type": "aes", "msg_signature": text("MsgSignature")}
        body = f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{text('Encrypt')}]]></Encrypt></xml>"
        target = f"{address}?{urllib.parse.urlencode(query)}"
        status, told = ask("POST", target, body.encode(), {"Content-Type": "text/xml"})
        assert (status == 200) == right, (key, app_id, status, told)
    desk.until(event, "delivered")
    print("WeChat: what wechatpy signs and encrypts is taken, and nothing else")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    desk = Desk(f"http://127.0.0.1:{server.server_port}")
    for check in (webhooks, text_messages, robots, wechat):
        check(desk)


main()
