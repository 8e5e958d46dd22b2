"""PyPI's http-message-signatures beside our message signatures: see signatures.rs. Cases come in as JSON, what became of them goes out."""

import base64
import datetime
import json
import sys
from types import SimpleNamespace

sys.path.insert(0, sys.argv[1])

from cryptography.exceptions import InvalidSignature as InvalidMac  # noqa: E402
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, InvalidSignature  # noqa: E402
from http_message_signatures.algorithms import HMAC_SHA256  # noqa: E402
from http_message_signatures.digests import ContentDigest  # noqa: E402
from http_sf.compat import Dictionary  # noqa: E402


class Keys:
    def __init__(self, case):
        self.key = base64.b64decode(case["key"])

    def resolve_private_key(self, key_id):
        return self.key

    # An answer of ours names no key: it is the request's.
    def resolve_public_key(self, key_id):
        return self.key


def request(case, headers, url=None):
    return SimpleNamespace(method=case["method"], url=url or case["url"], headers={**case["headers"], **headers})


def response(case, headers, signature):
    asked = request(case, {"signature": signature})
    own = {name: value for name, value in case["headers"].items() if name == "content-type"}
    return SimpleNamespace(status_code=case["status"], headers={**own, **headers}, request=asked)


def verified(case, message, tag):
    verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=Keys(case))
    try:
        verifier.verify(message, expect_tag=tag, body=base64.b64decode(case["body"]))
        return True
    except InvalidSignature as refusal:
        print(case["url"], tag, refusal, file=sys.stderr)
        return False


def signed(case, message, tag, components, body, nonce=None):
    signer = HTTPMessageSigner(signature_algorithm=HMAC_SHA256, key_resolver=Keys(case))
    created = datetime.datetime.fromtimestamp(case["created"], datetime.timezone.utc)
    signer.sign(message, key_id=case["keyid"], created=created, nonce=nonce, label="redoubt", tag=tag,
                covered_component_ids=components, body=body)
    names = {name.lower(): value for name, value in message.headers.items()}
    return {name: names.get(name) for name in ("content-digest", "signature-input", "signature")}


# It insists on a `keyid`, which our answers have not (their key is the request's). So of answers it judges all but that: it reads the fields,
# makes the signature base and the digest, and computes.
def answer_verified(case, message):
    verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=Keys(case))
    [(_, params, signature)] = verifier._get_sig_inputs_and_signatures(message, expect_tag=case["response_tag"])
    verifier.validate_created_and_expires(params)
    base, _, covered = verifier._build_signature_base(
        message, covered_component_ids=list(params), signature_params=params.params
    )
    if not ContentDigest.verify_components(covered, base64.b64decode(case["body"])):
        return False
    try:
        HMAC_SHA256(public_key=base64.b64decode(case["key"])).verify(signature.value, base.encode())
        return True
    except InvalidMac:
        return False


def answer_signed(case, message, components):
    signer = HTTPMessageSigner(signature_algorithm=HMAC_SHA256, key_resolver=Keys(case))
    ContentDigest.add(message.headers, base64.b64decode(case["body"]))
    params = {"created": case["created"], "alg": "hmac-sha256", "tag": case["response_tag"]}
    base, node, _ = signer._build_signature_base(
        message, covered_component_ids=signer._parse_covered_component_ids(components), signature_params=params
    )
    mac = HMAC_SHA256(private_key=base64.b64decode(case["key"])).sign(base.encode())
    return {
        "content-digest": message.headers["Content-Digest"],
        "signature-input": str(Dictionary({"redoubt": node})),
        "signature": str(Dictionary({"redoubt": mac})),
    }


def outcome(case):
    body = base64.b64decode(case["body"])
    components = ["@query", "@path", "@authority", "@method", *case["headers"]]
    answered = ['"signature";req', "@status", "content-digest"]
    answered += [name for name in case["headers"] if name == "content-type"]
    mine = case["signed"]["signature"]
    return {
        "request_verified": verified(case, request(case, case["signed"]), case["request_tag"]),
        "changed_request_verified": verified(
            case, request(case, case["signed"], case["url"] + "x"), case["request_tag"]
        ),
        "answer_verified": answer_verified(case, response(case, case["answer"], mine)),
        "foreign_answer_verified": answer_verified(case, response(case, case["answer"], "redoubt=:AAAA:")),
        "request": signed(case, request(case, {}), case["request_tag"], components, body or None, case["nonce"]),
        "answer": answer_signed(case, response(case, {}, mine), answered),
    }


json.dump([outcome(case) for case in json.load(sys.stdin)], sys.stdout)
