"""Every way to break the protocol: the code, and what the message says."""

from typing import Any, NamedTuple

import pytest
from tests.socketio.oracle import Oracle, Violation

from cooee.socketio import RESERVED_EVENTS, PacketError
from cooee.socketio.parser import Decoder

pytestmark = pytest.mark.once


class Case(NamedTuple):
    """
    A violation.

    Attributes:
        messages: The last is at fault.
        says: What the message contains.
        code: Close code.
        options: Of the decoder.
    """

    messages: list[str | bytes]
    says: str
    code: int = 1002
    options: dict[str, Any] = {}


CASES: list[Case] = []


def refused(
    says: str, *last: str | bytes, after: Any = (), code: int = 1002, **options: Any
) -> None:
    """Add a case for each of the messages, which come after others that are right."""
    CASES.extend(Case([*after, message], says, code, options) for message in last)


# Types
for protocol in (5, 4):
    refused(
        "unknown packet type",
        *("", "7", "8", "9", "a", "-1", "+2", " 2", "\n", "\0", '["a"]', "{}", "２", "é", "🦘"),
        protocol=protocol,
    )
refused("surrogates", '2["\ud800"]')

# Number of attachments
COUNTS = [
    "",
    "-",
    "0-",
    "00-",
    "01-",
    "-1-",
    "1",
    "a-",
    "1.0-",
    "1e0-",
    "0x1-",
    "+1-",
    " 1-",
    "1/a,",
]
for kind in "56":
    refused("illegal attachments", kind, kind + "1", *[f'{kind}{count}["a"]' for count in COUNTS])
    refused(
        "too many attachments, at most 10",
        *[f'{kind}{count}-["a"]' for count in ("11", "99", "100", "9" * 24, "1" * 5000)],
        code=1009,
    )
    refused("invalid payload", kind + "1-")
refused("too many attachments", '51-["a"]', code=1009, max_attachments=0)
refused("too many attachments, at most 2", '53-["a"]', code=1009, max_attachments=2)

# Order of messages
refused("got binary data when not reconstructing a packet", b"")
refused("got binary data when not reconstructing a packet", b"x", after=['2["a"]'])
refused("got binary data when not reconstructing a packet", b"y", after=['51-["a"]', b"x"])
refused("got plaintext data when reconstructing a packet: 0 of 1", "", "1", after=['51-["a"]'])
refused("got plaintext data when reconstructing a packet: 1 of 2", "1", after=['52-["a"]', b"x"])

# Placeholders
NUMS = [
    "1",
    "-1",
    "10",
    "0.5",
    "1e3",
    "-0.5",
    "true",
    "false",
    "null",
    '"0"',
    "[0]",
    "{}",
    "1" * 21,
]
for num in NUMS:
    for before, after in [("", ""), ("[", "]"), ('{"x":', "}")]:
        lie = f'{before}{{"_placeholder":true,"num":{num}}}{after}'
        refused("illegal attachments: placeholder number", b"x", after=[f'51-["a",{lie}]'])
refused("placeholder number None of 1", b"x", after=['51-["a",{"_placeholder":true}]'])
refused("invalid payload: EVENT", '51-[{"_placeholder":true,"num":0}]')

# Namespace
refused("namespace of 4097 bytes, at most 4096", "0/" + "a" * 4096, code=1009)
refused("namespace of 3 bytes, at most 2", "2/ab,[]", "2/é,[]", code=1009, max_namespace=2)
refused("invalid payload: EVENT has none", '2/a["b"]')
refused("invalid payload", '2a,["b"]')

# Id
for digits in ("9007199254740992", "18446744073709551616", "18446744073709551617", "9" * 5000):
    refused("id exceeds 2**53 - 1", f'2{digits}["a"]', f"3/a,{digits}[]")
WRONG_IDS = ["-1", "+1", "1.5", "1e3", "0x1", "a", "1a", "１", "1 ", " 1", " ", "\t", "\n"]
refused("invalid payload", *[f'2{wrong}["a"]' for wrong in WRONG_IDS])

# Payload by type
refused(
    "invalid payload",
    *("0[]", "0null", '0"a"', "01.5", "0true", "0a", "0{", "0{a}", "0{}x", "0{}{}", "0 {}"),
    *("1{}", "1[]", '1"a"', "1null", "1x", "1/a,{}", "1 "),
    *("2", "2/a,", "21", "2{}", '2"a"', "2null", "2x", "2[", '2["a"', '2["a",]', "2[,]"),
    *("3", "3{}", '3"a"', "3null", "3x", "31", "3[", "31{}", "61-{}", "61-1", "61-7"),
    *("4", "4[]", "4null", "4true", "41", "4x", '4"', '4"a', "4{", "4{]", '4"a""b"'),
)
refused(
    "invalid payload: EVENT must have an array that begins",
    *("2[]", "2[null]", "2[true]", "2[false]", "2[[]]", "2[{}]", '2[["a"]]', '2[{"a":1}]'),
)
for name in sorted(RESERVED_EVENTS):
    refused("a string that is not reserved", f'2["{name}"]', f'51-["{name}"]')
refused("a string that is not reserved", '2["\\u0063onnect"]')
refused(
    "invalid payload",
    *('0"a"', "0true", "0nul", "0x", "1{}", "2{}", "2[null]", "2[]", "3{}", "4", "4true"),
    protocol=4,
)

# What is not JSON
NOT_JSON = [
    *("NaN", "Infinity", "-Infinity", "undefined", "nul", "tru", "True", "None", "'a'", "`a`", "a"),
    *("01", "-01", "1.", ".5", "+1", "-", "1e", "1e+", "0x10", "1_000", "--1", "1.e1", "1n", "٣"),
    *("\v1", "\f1", "1__", "inf", "nan", "-nan", "1e1.5", "/**/1", "1//", "1;", "\xa01", "\ufeff1"),
    *('"\\x41"', '"\\u12"', '"\\u12g4"', '"\\u 123"', '"\\u+123"', '"\\u-123"', '"\\ud800'),
    *('"\\"', '"\t"', '"\n"', '"\0"', '"\x1f"', '"', "{a:1}", "{'a':1}", '{"a"}', '{"a":}'),
    *(
        '{"a":1,}',
        "{,}",
        '{"a" 1}',
        "{1:2}",
        "{null:1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "1]",
        "[]]",
    ),
]
refused("invalid payload", *[f'2["a",{wrong}]' for wrong in NOT_JSON])
refused("invalid payload", '2["a"]\0', '2["a"]\xa0', '2["a"]["b"]', '2\ufeff["a"]')
refused("unknown packet type", '\ufeff2["a"]')

# Depth
for opening, closing in [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")]:
    for count in (256, 5000, 200_000):
        texts = [f'2["a",{opening * count}1{end}]' for end in (closing * count, "")]
        refused("nested deeper than 256", *texts, code=1009)
        refused("nested deeper than 256", *texts, code=1009, protocol=4)
refused("nested deeper than 256", "2" + "[" * 10**6, "0" + '{"a":' * 10**6, code=1009)
refused("nested deeper than 1", '2["a",[]]', code=1009, max_depth=1)
refused("nested deeper than 0", '2["a"]', code=1009, max_depth=0)


def name_of(case: Case) -> str:
    return " then ".join(repr(message)[:40] for message in case.messages)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_refuses(case: Case) -> None:
    decoder = Decoder(**case.options)
    for message in case.messages[:-1]:
        decoder.add(message)
    with pytest.raises(PacketError) as caught:
        decoder.add(case.messages[-1])
    assert case.says in caught.value.reason
    assert caught.value.code == case.code
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    # Fact and clause, or limit.
    assert (
        "Socket.IO" in caught.value.reason
        or "max_" in caught.value.reason
        or ("surrogates" in caught.value.reason)
    )
    # Nothing is left.
    assert not decoder.reconstructing
    assert decoder.add("1") is not None


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_oracle_refuses_too(case: Case) -> None:
    if "surrogates" in case.says:
        return
    oracle = Oracle(**case.options)
    for message in case.messages[:-1]:
        oracle.add(message)
    with pytest.raises(Violation):
        oracle.add(case.messages[-1])
