"""What no schema can say, for requests that are meant to be good: the key that comes with them is Android's."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict) and "platform" in case.body:
        case.body["platform"] = "android"
        if isinstance(case.body.get("app"), dict):
            case.body["app"]["platform"] = "android"
