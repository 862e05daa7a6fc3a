# Python 3.8 or later, without packages. Runs on your server: the secret never leaves it.
import base64
import hashlib
import hmac
import json
import os
import time
import uuid


def identity_token(kid: str, secret: str, customer: dict) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = {"alg": "HS256", "typ": "JWT", "kid": kid}
    claims = {**customer, "jti": str(uuid.uuid4()), "exp": int(time.time()) + 300}
    signed = part(json.dumps(head).encode()) + "." + part(json.dumps(claims).encode())
    return signed + "." + part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())


# The customer of your shop's own session; `sub` is your id of it.
if __name__ == "__main__":
    print(
        identity_token(
            os.environ["DESK_KEY_ID"],
            os.environ["DESK_KEY_SECRET"],
            {"sub": "customer-17", "nickname": 'Zoë "Mei" 王', "email": "mei@example.com"},
        )
    )
