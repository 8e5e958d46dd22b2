"""What no schema can say, for requests that are meant to be good: who the provider is, what time it is, and its signature (Standard Webhooks)."""

import base64
import hashlib
import hmac
import json
import os
import time

import schemathesis

SECRET = base64.b64decode(os.environ["BROKER_WEBHOOK_SECRET"].removeprefix("whsec_"))


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    case.path_parameters["provider"] = "sandbox-bank"
    event, at = "evt_" + hashlib.sha256(repr(case.body).encode()).hexdigest(), str(int(time.time()))
    # As it is sent.
    body = json.dumps(case.body, allow_nan=False)
    digest = hmac.new(SECRET, f"{event}.{at}.{body}".encode(), hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    case.headers.update({"Webhook-Id": event, "Webhook-Timestamp": at, "Webhook-Signature": signature})
