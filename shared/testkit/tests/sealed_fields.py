"""PyPI's joserfc beside our JWE: see sealed_fields.rs. Cases come in as JSON, what became of them goes out."""

import base64
import json
import sys

sys.path.insert(0, sys.argv[1])

from joserfc import jwe  # noqa: E402
from joserfc.jwk import ECKey  # noqa: E402

# It knows the two only that we use, so it cannot be lenient about them either.
REGISTRY = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"])


def opened(token, key):
    try:
        return base64.b64encode(jwe.decrypt_compact(token, key, registry=REGISTRY).plaintext).decode()
    # Whatever it stumbles over: what was changed may be no JSON, no base64 and no point any more.
    except Exception as refusal:
        print(type(refusal).__name__, refusal, file=sys.stderr)
        return None


def outcome(case):
    key = ECKey.import_key(case["private"].encode())
    header = {"alg": "ECDH-ES", "enc": "A256GCM", **case["header"]}
    return {
        "opened": opened(case["sealed"], key),
        "changed": [opened(token, key) for token in case["changed"]],
        "sealed": jwe.encrypt_compact(header, base64.b64decode(case["text"]), key, registry=REGISTRY),
        "kid": key.thumbprint(),
    }


json.dump([outcome(case) for case in json.load(sys.stdin)], sys.stdout)
