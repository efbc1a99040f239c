"""Nothing secret prints, nothing of a card rests, and amounts keep their spelling."""

from __future__ import annotations

import json
import random
import uuid

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.connectors import redaction
from tieout.connectors.intacct.archive import redacted
from tieout.connectors.redaction import luhn, mask_pans, redact, redact_headers, scrub

CANARY = "Qv7/w+9&<é\"x' z"
PAN = "4111111111111111"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "authorization:Basic {}",
        "{{'Authorization': 'Bearer {}'}}",
        "Proxy-Authorization: Digest {}",
        "Cookie: sid={}",
        "X-Api-Key: {}",
        "GET /admin.php?target=RESTAPI&_key={}&x=1",
        "https://x.example/?access_token={}",
        "client_secret={}&grant_type=client_credentials",
        '{{"password": "{}"}}',
        '{{"access_token":"{}","expires_in":10}}',
        "{{'client_secret': '{}'}}",
        "<password>{}</password>",
        "<ia:sessionid>{}</ia:sessionid>",
        '<userpassword xml:space="preserve">{}</userpassword>',
        "<password><![CDATA[{}]]></password>",
        "<password>{}",
        "<PASSWORD>\n{}\n</PASSWORD>",
        '{{"cvv": "{}"}}',
        "<cardNumber>{}</cardNumber>",
        "api_key='{}'",
    ],
)
def test_values_are_masked_by_the_name_they_stand_under(text):
    for value in ("abcDEF123456", "s-9.8_7~6"):
        shown = redact(text.format(value))
        assert value not in shown
        assert "***" in shown


def test_a_configured_secret_is_masked_in_every_spelling():
    from urllib.parse import quote, quote_plus
    from xml.sax.saxutils import escape

    spelled = [CANARY, quote(CANARY, safe=""), quote_plus(CANARY), escape(CANARY), json.dumps(CANARY)]
    for text in spelled:
        assert redact(f"before {text} after", [CANARY]).startswith("before ")
        assert text.strip('"') not in redact(f"before {text} after", [CANARY])


def test_sentences_stay_readable():
    text = (
        "Order W100123 of store us-web: 3 lines, total 59.90 USD, token_type bearer; the password was changed. "
        "Basic authentication is used. https://x.example/orders?limit=500&sort=id%20asc id 6f0c2e1a-7d1b-4f4e-9c1a-0123456789ab"
    )
    assert redact(text) == text


@given(st.text(max_size=300), st.lists(st.text(min_size=4, max_size=12), max_size=3))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_redaction_never_crashes_and_hides_every_secret(text, secrets):
    shown = redact(text + "".join(f" {secret} " for secret in secrets), secrets)
    for secret in secrets:
        if "*" not in secret:
            assert secret not in shown.replace("***", "\x00")


def test_headers():
    shown = redact_headers({"Authorization": "Bearer x", "Accept": "text/xml", "X-Note": f"card {PAN}"})
    assert shown["Authorization"] == "***"
    assert shown["Accept"] == "text/xml"
    assert PAN not in shown["X-Note"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111111111111111", "411111******1111"),
        ("4111 1111 1111 1111", "411111******1111"),
        ("4111-1111-1111-1111", "411111******1111"),
        ("378282246310005", "378282*****0005"),
        ("3782 822463 10005", "378282*****0005"),
        ("5555555555554444.", "555555******4444."),
        ("x6011111111111117x", "x601111******1117x"),
        ("4111111111111112", None),  # wrong check digit
        ("4006381333931", None),  # a barcode that begins like a card
        ("8515131751004933", None),  # a gateway reference
        ("41111111111111110000", None),  # too long
        ("6f0c4111-1111-1111-1111-aaaaaaaaaaaa", None),
        ("3f2a4111111111111111b09cde771234567890ab", None),  # part of a hash
    ],
)
def test_card_numbers(text, masked):
    assert mask_pans(text) == (masked or text)


_RUNS_AND_CARDS = st.sampled_from(
    ["4111111111111111", "4111 1111 1111 1111", "3782-822463-10005", "abcdef", "é", "0"]
)


@given(
    st.lists(st.text(alphabet="0123456789 -ab٣٤\n€", max_size=30) | _RUNS_AND_CARDS, max_size=8).map("".join)
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_the_quick_look_never_hides_a_number_from_the_pattern(text):
    """Numbers are looked for only where the quick look finds a run; it must find, whole, every number that the pattern would."""
    stretches = redaction._stretches(text)
    for found in redaction._PAN.finditer(text):
        assert any(begin <= found.start() and found.end() <= end for begin, end in stretches)
    # What it masks is what the pattern alone, over the whole text, would mask.
    masked = redaction._PAN.sub(
        lambda at: (
            redaction._mask_digits(at[0]) if redaction.luhn("".join(filter(str.isdecimal, at[0]))) else at[0]
        ),
        text,
    )
    if text.isascii():
        assert mask_pans(text, strict=False) == masked


@pytest.mark.parametrize(
    "inner",
    [
        "<password>hush-hush</password>",
        "<a:sessionid xmlns:a='x'>hush-hush</a:sessionid>",
        "<onlinecardpayment><any>hush-hush</any></onlinecardpayment>",
        "<sessionid><part>hush-hush</part>hush-hush</sessionid>",
        "<clientsecret note='1'>hush-hush</clientsecret>",
        "<MEMO>4111 1111 1111 1111 hush-hush</MEMO>",
        "<MEMO>configured hush-hush</MEMO>",
    ],
)
@pytest.mark.parametrize(
    "frame",
    [
        "<response>{}</response>",
        "<?xml version='1.0' encoding='UTF-8'?>\n<response>{}</response>\n",
        "<request>{}",
    ],
)
def test_an_archived_message_hides_elements_values_and_cards(inner, frame):
    """Whole messages, and one that was cut short, which is masked by its text."""
    kept = redacted(
        frame.format(f"<ROW><RECORDNO>1</RECORDNO>{inner}</ROW>").encode(), ["configured hush-hush"]
    )
    assert b"4111 1111 1111 1111" not in kept
    if "MEMO" not in inner and not ((frame.endswith("{}") and "part>" in inner) or "any>" in inner):
        assert b"hush-hush" not in kept
    if "configured" in inner:
        assert b"hush-hush" not in kept


def test_a_page_of_records_is_archived_as_it_came():
    page = "<?xml version='1.0'?><response><data><R><NAME>Müller &amp; Söhne</NAME></R></data></response>".encode()
    assert redacted(page) == page


def test_luhn_against_published_test_numbers():
    good = (
        "4111111111111111 5555555555554444 378282246310005 6011111111111117 30569309025904 3530111333300000"
    )
    assert all(luhn(number) for number in good.split())
    assert not any(luhn(str(int(number) + 1).zfill(len(number))) for number in good.split())


PAYMENT = {
    "id": "pay1",
    "version": 3,
    "lastModifiedAt": "2026-09-03T11:00:00.000Z",
    "interfaceId": "pi_77",
    "amountPlanned": {"centAmount": 2380, "currencyCode": "EUR"},
    "paymentMethodInfo": {
        "paymentInterface": "PSP",
        "method": "CreditCard",
        "name": {"en": "Visa"},
        "token": "tok",
    },
    "paymentStatus": {"interfaceText": f"approved {PAN}", "interfaceCode": "00"},
    "interfaceInteractions": [{"fields": {"pan": PAN, "raw": "x"}}],
    "transactions": [
        {"id": "t1", "type": "Charge", "amount": {"centAmount": 2380}, "state": "Success", "rawReply": PAN}
    ],
    "custom": {
        "fields": {"cardNumber": PAN, "cvv": "123", "fee": 35, "cardholder_name": "A", "note": f"c {PAN}"}
    },
    "paymentToken": "tok_1",
    "billing": {"anything": 1},
}


def test_a_payment_keeps_method_references_and_amounts_only():
    kept = json.loads(scrub(json.dumps(PAYMENT).encode(), payment=True))
    text = json.dumps(kept)
    assert PAN not in text
    assert "tok" not in text
    assert set(kept) == {
        "id", "version", "lastModifiedAt", "interfaceId", "amountPlanned", "paymentMethodInfo", "paymentStatus",
        "transactions", "custom",
    }  # fmt: skip
    assert kept["paymentMethodInfo"] == {"paymentInterface": "PSP", "method": "CreditCard"}
    assert kept["paymentStatus"] == {"interfaceCode": "00"}
    assert kept["transactions"] == [
        {"id": "t1", "type": "Charge", "amount": {"centAmount": 2380}, "state": "Success"}
    ]
    assert kept["custom"]["fields"] == {"fee": 35, "note": "c 411111******1111"}


@pytest.mark.parametrize("member", ["transactions", "paymentMethodInfo", "paymentStatus"])
def test_a_payment_with_text_where_an_object_belongs_keeps_none_of_it(member):
    payload = json.dumps({"id": "p", member: f"card {PAN}"}).encode()
    assert PAN.encode() not in scrub(payload, payment=True)


def test_a_clean_payload_is_the_same_bytes():
    payload = b'{ "id":"o1", "totalPrice" : {"centAmount":29.949999999999999,"x":1E+2, "y":-0}, "n":"4006381333931" }'
    assert scrub(payload) is payload


def test_numbers_keep_their_spelling_when_something_else_goes():
    payload = b'{"id":"o1","totalPrice":{"centAmount":29.949999999999999,"fractionDigits":2.0},"z":1E+2,"password":"h","q":-0}'
    assert scrub(payload) == (
        b'{"id":"o1","totalPrice":{"centAmount":29.949999999999999,"fractionDigits":2.0},"z":1E+2,"q":-0}'
    )


def test_personal_data_is_kept_as_configured():
    customer = {
        "id": "c",
        "email": "a@example.test",
        "firstName": "Ana",
        "dateOfBirth": "1990-01-01",
        "password": "hash",
        "vatId": "DE1",
        "addresses": [{"city": "Ulm", "phone": "1", "email": "a@example.test"}],
    }
    payload = json.dumps(customer).encode()
    default = json.loads(scrub(payload))
    assert default == {
        "id": "c",
        "email": "a@example.test",
        "firstName": "Ana",
        "addresses": [{"city": "Ulm", "email": "a@example.test"}],
    }
    assert json.loads(scrub(payload, keep_personal=())) == {"id": "c"}
    everything = json.loads(
        scrub(payload, keep_personal=("name", "email", "address", "phone", "birth", "tax_id"))
    )
    assert set(customer) - set(everything) == {"password"}


def test_a_card_number_spelled_with_escapes_is_found():
    payload = b'{"id":"o1","note":"\\u0034111111111111111","\\u0063vv":"123"}'
    assert json.loads(scrub(payload)) == {"id": "o1", "note": "411111******1111"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text(max_size=12)
    | st.sampled_from([PAN, f"a {PAN} b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "cvv", "note", "phone", "pan", "items", "title"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["x", "y", "transactions", "custom", "cardNumber"]), json_values, max_size=4
    )
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_card_number_survives_and_scrubbing_twice_changes_nothing(record):
    payload = json.dumps({"id": "1", **record}).encode()
    for payment in (False, True):
        once = scrub(payload, payment=payment)
        assert PAN.encode() not in once
        assert b'"cvv"' not in once
        assert scrub(once, payment=payment) == once
        assert json.loads(once)["id"] == "1"


def test_what_is_no_object_is_refused():
    for payload in (b"[1]", b'"x"', b"{", b"{'a':1}"):
        with pytest.raises(msgspec.DecodeError):
            scrub(payload + b'"cvv":', payment=True)


def test_random_ids_are_not_masked():
    rng = random.Random(5)
    ids = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(20_000)]
    text = " ".join(ids)
    assert mask_pans(text) == text


CARD_NAMES = """
cardNumber card_number psp_cardNumber ccNumber cc_number creditCardNumber accountNumber account_number
primaryAccountNumber primary_account_number pan card.pan CVV cvv2 cvc CVC2 cardCode card_code cardCvc securityCode security_code
track1 track_2 trackData track_data magstripe IBAN iban routingNumber routing_number cardExpiry card_expiry_date expiryDate
expiry_month expiryYear cardHolder card_holder_name
"""


@pytest.mark.parametrize("name", CARD_NAMES.split())
def test_every_card_field_is_dropped_wherever_it_stands(name):
    payload = json.dumps({"id": "1", "a": [{"b": {name: "x"}}]}).encode()
    assert json.loads(scrub(payload)) == {"id": "1", "a": [{"b": {}}]}
    escaped = payload.replace(b'"%s"' % name.encode(), b'"\\u%04x%s"' % (ord(name[0]), name[1:].encode()))
    assert json.loads(scrub(escaped)) == {"id": "1", "a": [{"b": {}}]}


@pytest.mark.parametrize(
    "name", ["giftCard", "cardType", "companyName", "trackingData", "method", "expand", "japanese"]
)
def test_names_that_only_look_alike_stay(name):
    payload = json.dumps({"id": "1", name: "x"}).encode()
    assert scrub(payload) is payload
