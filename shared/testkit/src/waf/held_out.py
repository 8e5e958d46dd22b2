"""Names, firms, addresses, sentences, IBANs and e-mail addresses of PyPI's Faker, which lies in the folder that is named: the same at each run."""

import sys

sys.path.insert(0, sys.argv[1])

from faker import Faker  # noqa: E402

LOCALES = (
    "cs_CZ da_DK de_AT de_CH de_DE el_GR en_GB en_IE en_IN en_US es_ES es_MX et_EE fi_FI fr_CH fr_FR ga_IE hr_HR hu_HU "
    "it_IT ja_JP lt_LT lv_LV nl_BE nl_NL no_NO pl_PL pt_PT ro_RO sk_SK sl_SI sv_SE tr_TR uk_UA vi_VN zh_CN"
).split()
TEXTS = ("name", "name", "name", "company", "company", "street_address", "sentence", "job", "catch_phrase")
ROUNDS = 4


def said(fake, kind):
    try:
        return str(getattr(fake, kind)())
    except AttributeError:  # not every language has every kind
        return ""


for at, locale in enumerate(LOCALES):
    fake = Faker(locale)
    fake.seed_instance(4099 + at)
    for kind in TEXTS * ROUNDS:
        text = said(fake, kind)
        if 2 < len(text) <= 60 and text.isprintable():
            print("text", text, sep="\t")
    for kind in ("iban", "iban", "iban", "email", "email"):
        text = said(fake, kind)
        if text.isascii() and text:
            print(kind, text, sep="\t")
