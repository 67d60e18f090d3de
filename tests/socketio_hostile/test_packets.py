"""Packets that no client sends, by both transports, in both revisions: who is cut off for what."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from tests.socketio_hostile.serving import Hostility, Message, Session

from cooee.socketio import RESERVED_EVENTS

pytestmark = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)

# Reasons that the application is told; the first is "parse error" where Node says the second.
PARSE = "parse error"
CLOSED = "forced server close"


class Case(NamedTuple):
    """
    What a client sends that is in the namespace ``/``.

    Attributes:
        name: What it is.
        messages: Sent one after another.
        end: The reason with which it is disconnected; None if the session goes on.
    """

    name: str
    messages: tuple[Message, ...]
    end: str | None


def ends(name: str, *messages: Message, end: str = PARSE) -> Case:
    """It is cut off for it."""
    return Case(name, messages, end)


def goes_on(name: str, *messages: Message) -> Case:
    """Nothing comes of it."""
    return Case(name, messages, None)


def lie(num: str, count: int = 1, around: str = "%s") -> tuple[Message, ...]:
    """A binary event with a placeholder of that number."""
    placeholder = around % f'{{"_placeholder":true,"num":{num}}}'
    return (f'5{count}-["echo",{placeholder}]', *[b"x"] * count)


CASES = [
    # Attachments: number
    ends("more attachments than announced", '51-["echo"]', b"1", b"2"),
    ends("an attachment of a packet without any", '2["echo"]', b"1"),
    ends("an attachment before any packet", b"1"),
    ends("text in place of an attachment", '52-["echo"]', b"1", '2["echo",1]'),
    ends("a second packet in place of an attachment", '51-["echo"]', '51-["echo"]', b"1"),
    ends("no payload after the number", "51-"),
    ends("a billion attachments", '51000000000-["echo"]'),
    ends("a number of attachments of 1000 digits", f'5{"9" * 1000}-["echo"]'),
    ends("eleven attachments", '511-["echo"]', *[b"x"] * 11),
    ends("a negative number of attachments", '5-1-["echo"]'),
    ends("an acknowledgement with a billion attachments", '61000000000-1["echo"]'),
    goes_on("attachments that nothing refers to", '52-["ignored"]', b"1", b"2"),
    goes_on("ten empty attachments", '510-["ignored"]', *[b""] * 10),
    # Attachments: placeholders
    ends("a placeholder out of range", *lie("1")),
    ends("a placeholder far out of range", *lie("1000000000")),
    ends("a placeholder of 30 digits", *lie("1" + "0" * 30)),
    ends("a negative placeholder", *lie("-1")),
    ends("a placeholder with a fraction", *lie("0.5")),
    ends("a placeholder that is text", *lie('"0"')),
    ends("a placeholder that is null", *lie("null")),
    ends("a placeholder that is a list", *lie("[0]")),
    ends("a placeholder without a number", '51-["echo",{"_placeholder":true}]', b"x"),
    ends("a lie deep below", *lie("7", around="[" * 200 + "%s" + "]" * 200)),
    goes_on("a placeholder repeated", *lie("0", around='[%s,{"_placeholder":true,"num":0}]')),
    goes_on("a placeholder in a text event", '2["ignored",{"_placeholder":true,"num":9}]'),
    goes_on("a placeholder that is not meant", *lie("0", around='{"_placeholder":false,"a":%s}')),
    # Order
    ends("a second CONNECT", "0"),
    ends("a second CONNECT with auth", '0{"token":"x"}'),
    ends("CONNECT_ERROR", '4{"message":"no"}', end=CLOSED),
    ends("an event for a namespace that it is not in", '2/admin,["echo"]', end=CLOSED),
    ends("an acknowledgement for a namespace that it is not in", "3/admin,1[]", end=CLOSED),
    ends("DISCONNECT from a namespace that it is not in", "1/admin,", end=CLOSED),
    # Acknowledgements
    goes_on("an acknowledgement that nobody asked for", '31["x"]'),
    goes_on("an acknowledgement twice", '37["x"]', '37["x"]'),
    goes_on("the last id there is", f"3{2**53 - 1}[]"),
    goes_on("a binary acknowledgement that nobody asked for", *('61-1["x"]', b"x")),
    ends("an acknowledgement with an id of 10^30", f'3{10**30}["x"]'),
    ends("an event with an id of 10^30", f'2{10**30}["echo"]'),
    ends("an event with an id of 10^5000", f'21{"0" * 5000}["echo"]'),
    ends("a negative id", '2-1["echo"]'),
    goes_on("an acknowledgement without an id", '3["x"]'),
    # Types and payloads
    ends("no such type", "9"),
    ends("an empty packet", ""),
    ends("a type only", "2"),
    ends("an event without a name", "2[]"),
    ends("an event that is an object", '2{"name":"echo"}'),
    ends("an event named by a list", '2[["echo"]]'),
    ends("an event named null", "2[null]"),
    ends("nonsense", "nonsense"),
    # JSON
    ends("not JSON", '2["echo",'),
    ends("NaN", '2["echo",NaN]'),
    ends("Infinity", '2["echo",-Infinity]'),
    ends("a NUL byte", '2["echo","\0"]'),
    ends("a NUL byte at the end", '2["echo"]\0'),
    ends("lists 100,000 deep", '2["echo",' + "[" * 100_000 + "]" * 100_000 + "]"),
    ends("objects 100,000 deep", '2["echo",' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "]"),
    ends("lists that are never closed", '2["echo",' + "[" * 300_000),
    ends("an object for JavaScript", "2[\"echo\",{a:'b'}]"),
    goes_on("equal keys", '2["ignored",{"a":1,"a":2,"a":{"a":3}}]'),
    goes_on("an escaped NUL", '2["ignored","\\u0000"]'),
    goes_on("half a surrogate pair, escaped", '2["ignored","\\ud800","\\udfff\\ud800"]'),
    goes_on("a number beyond a double", '2["ignored",1e999,-1e999,1e-999]'),
    goes_on("a number of 5,000 digits", f'2["ignored",{"9" * 5000}]'),
    goes_on("a number of 500,000 digits", f'2["ignored",{"9" * 500_000}]'),
    goes_on("100,000 keys", '2["ignored",{' + ",".join(f'"{i}":0' for i in range(60_000)) + "}]"),
    # The same, to come back
    goes_on("echo of half a surrogate pair", '2["echo","\\ud800"]'),
    goes_on("echo of numbers beyond a double", '2["echo",1e999,-1e999]'),
    goes_on("echo of a number of 5,000 digits", f'2["echo",{"9" * 5000}]'),
    goes_on("echo of a number of 4,000 digits", f'2["echo",{"9" * 4000}]'),
    goes_on("echo of both", '2["echo","\\ud800",1e999,%s]' % ("9" * 4000)),
    goes_on("echo of a separator of payloads", '2["echo","\\u001e"]'),
    goes_on("echo of what is deep", '2["echo",' + "[" * 255 + "]" * 255 + "]"),
    # Names
    *[ends(f"the reserved event {name}", f'2["{name}"]') for name in sorted(RESERVED_EVENTS)],
    ends("a reserved event, escaped", '2["\\u0063onnect"]'),
    *[
        goes_on(f"the event {name[:20]!r}", f'2["{name}",{{"{name}":"{name}"}}]')
        for name in (
            *("__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "valueOf"),
            *("__class__", "__init__", "__dict__", "self", "args", "emit", "on", "send", "drain"),
            *("connection", "error", "message", "close", "join", "", " ", "{}", "%s%n", "a" * 9000),
        )
    ],
    goes_on("numbers for names", "2[0]", "2[-1.5]", "2[1e999]", f"2[{'9' * 5000}]"),
    # Namespaces
    ends("a namespace of 5,000 bytes", f"0/{'a' * 5000},"),
    ends("a namespace with a control character", "0/a\x1fb,", end=CLOSED),
    ends("a namespace with a NUL", "0/a\0b,", end=CLOSED),
    goes_on("namespaces that are not there", "0/__proto__,", "0/constructor,", "0/../..,", "0//,"),
    goes_on("a namespace that needs no comma", "0/nowhere"),
    goes_on("auth of any kind", '0/nowhere,{"__proto__":{"sid":1},"sid":"x","pid":[],"offset":{}}'),
]
# In revision 3 CONNECT has no payload, and names that are reserved today are names as others, which
# the handlers of our own events never hear.
ONLY_4 = {"a second CONNECT with auth", "auth of any kind"}
NAMES_IN_3 = {case.name for case in CASES if "reserved event" in case.name}


def cells() -> list[object]:
    """Every case by every transport in every revision."""
    return [
        pytest.param(transport, revision, case, id=f"{transport}-{revision}-{case.name}")
        for transport in ("websocket", "polling")
        for revision in (4, 3)
        for case in CASES
        if revision == 4 or case.name not in ONLY_4
    ]


@pytest.mark.parametrize(("transport", "revision", "case"), cells())
def test_of_a_client_that_is_connected(
    server: Hostility, bystander: Session, transport: str, revision: int, case: Case
) -> None:
    session = server.join(transport, revision)
    server.sockets.take()
    end = None if revision == 3 and case.name in NAMES_IN_3 else case.end
    session.send(*case.messages)
    if end is None:
        session.check_echo()
        assert server.ends.empty()
    else:
        session.wait_ended()
        assert server.ends.take() == ("/", end)
    bystander.check_echo()


BEFORE = [
    *('2["echo",1]', '21["echo",1]', '2/admin,["echo"]', "1", "31[]", '4{"message":"x"}'),
    *('2["connect"]', "x", "", "0[]", "0null", '0"auth"', "0/a\0,", '51-["echo"]', "9" * 1000),
    b"binary",
]


@pytest.mark.parametrize("message", BEFORE, ids=lambda message: repr(message)[:20])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_of_a_client_that_has_not_connected(
    server: Hostility, bystander: Session, transport: str, message: Message
) -> None:
    session = server.session(transport)
    # An event whose attachments are to come ends with the event after it.
    session.send(message, '2["echo",1]')
    session.wait_ended()
    assert server.sockets.empty()
    assert server.events.empty()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_nothing_counts_after_the_violation(
    server: Hostility, bystander: Session, transport: str
) -> None:
    session = server.join(transport)
    session.send('2["before"]', "9", '2["after"]', "0/other,", '2["after"]')
    session.wait_ended()
    assert server.events.take() == ["before"]
    assert server.events.empty()


def test_echoes_are_what_javascript_would_make_of_them(
    server: Hostility, bystander: Session
) -> None:
    session = server.join()
    session.send('2["echo","\\ud800",1e999,-0.0,{"a":1,"a":2,"__proto__":3},"\\u0000\\u001e"]')
    packet = session.take()
    assert packet == '2["echo","\\ud800",null,-0.0,{"a":2,"__proto__":3},"\\u0000\\u001e"]'
