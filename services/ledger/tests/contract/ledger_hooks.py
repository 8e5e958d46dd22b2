"""What no schema can say, for requests that are meant to be good: which accounts there are, and what a phone seals on the way."""

import os

import schemathesis

FROM, TO = os.environ["LEDGER_ACCOUNTS"].split(",")


def meant_to_be_good(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    if not meant_to_be_good(case):
        return
    # A cursor is what the ledger has given; a random one is refused.
    if case.query:
        case.query.pop("after", None)
    body = case.body
    if not isinstance(body, dict):
        return
    # Every other one is about accounts that exist.
    if "from_account" in body and len(body["from_account"]) and int(body["from_account"][0], 16) % 2 == 0:
        body["from_account"] = FROM
        if "to_account" in body:
            body["to_account"] = TO
    # In the form of a sealed text, which the document asks for; the proxy seals its first part, as the phone does.
    if "iban" in body:
        body["iban"] = "DE89370400440532013000..a.b.c"
