"""Hosts of URLs (WHATWG URL §3): domains, IPv4 and IPv6 addresses."""

import ipaddress
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooee.protocol import errors, hosts

DOMAINS = [
    ("a", "a"),
    ("EXAMPLE.com", "example.com"),
    ("a_b-.c", "a_b-.c"),
    ("a..b", "a..b"),
    (".", "."),
    ("a.", "a."),
    ("-", "-"),
    ("!$&'()*+,;=~`{}\"", "!$&'()*+,;=~`{}\""),
    ("%61%2Eb", "a.b"),
    ("x" * 300, "x" * 300),  # no DNS limits (VerifyDnsLength is off)
    ("1.2.3.a", "1.2.3.a"),
    ("0xg", "0xg"),
    ("0x1.", "0.0.0.1"),
    ("1..", "1.."),
]


@pytest.mark.parametrize(("text", "host"), DOMAINS)
def test_domains(text: str, host: str) -> None:
    assert hosts.parse_host(text) == host


INTERNATIONAL = [
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example", "xn--bcher-kva.example"),
    ("b%C3%BCcher.example", "xn--bcher-kva.example"),
    ("bu\N{COMBINING DIAERESIS}cher.example", "xn--bcher-kva.example"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ("a.xn--bcher-kva", "a.xn--bcher-kva"),
    ("☃.net", "xn--n3h.net"),  # IDNA 2008 refuses it, browsers do not
    ("💩", "xn--ls8h"),
    ("faß.de", "xn--fa-hia.de"),  # not transitional: no "fass.de"
    ("βόλος.com", "xn--nxasmm1c.com"),
    ("日本語。ＪＰ", "xn--wgv71a119e.jp"),
    ("Ⅷ.com", "viii.com"),
    ("a\N{SOFT HYPHEN}b", "ab"),
    ("\ufeffa", "a"),
    ("ex--é", "xn--ex---epa"),  # CheckHyphens is off
    ("-é-", "xn-----bja"),
    ("א.com", "xn--4db.com"),
    ("א..com", "xn--4db..com"),
    ("क्\N{ZERO WIDTH JOINER}ष", "xn--11b2ezcw70k"),  # after a virama
    ("１２７.０.０.１", "127.0.0.1"),
    ("0Ⅹ７f.1", "127.0.0.1"),
    ("é" + "a" * 90, "xn--" + "a" * 90 + "-91h"),  # VerifyDnsLength is off
]


@pytest.mark.parametrize(("text", "host"), INTERNATIONAL)
def test_international_domains(text: str, host: str) -> None:
    assert hosts.parse_host(text) == host
    assert hosts.parse_host(host) == host


@pytest.mark.parametrize(
    "text",
    [
        "\N{SOFT HYPHEN}",
        "\ufffd",
        "%ff",  # not UTF-8
        "%C3",
        "％00",
        "ａ／ｂ",
        "é b",
        "é%20",
        "\N{COMBINING DIAERESIS}a",
        "xn--",
        "xn--a",  # decodes to U+0080
        "xn--abc-",  # decodes to ASCII
        "xn--n3h-",
        "xn--99999999",
        "xn--é",
        "xn--bcher-!!!",
        "xn--" + "É".encode("punycode").decode(),  # capitals are mapped before, never in Punycode
        "xn--" + "u\N{COMBINING DIAERESIS}".encode("punycode").decode(),  # not NFC
        "xn--" + "\N{COMBINING DIAERESIS}a".encode("punycode").decode(),
        "a\N{ZERO WIDTH JOINER}é",
        "a\N{ZERO WIDTH NON-JOINER}b",
        "אa",
        "aא",
        "0.א",  # CheckBidi is about all labels as soon as one has a right-to-left character
        "é" * 1025,
        "\U000e0001",
    ],
)
def test_domains_that_are_invalid(text: str) -> None:
    with pytest.raises(errors.SyntaxError, match=r"host .*WHATWG URL §3\.5"):
        hosts.parse_host(text)


@pytest.mark.parametrize("character", "\0\t\n\r\x01\x1f #/:<>?@[\\]^|\x7f%")
def test_forbidden_characters(character: str) -> None:
    for text in (f"a{character}b", f"a%{ord(character):02x}b", f"é{character}"):
        with pytest.raises(errors.SyntaxError, match=r"is forbidden in a domain|U\+00"):
            hosts.parse_host(text)


def test_without_idna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idna", None)
    assert hosts.parse_host("EXAMPLE.com") == "example.com"
    assert hosts.parse_host("xn--bcher-KVA.example") == "xn--bcher-kva.example"
    assert hosts.parse_host("[::1]") == "::1"
    with pytest.raises(errors.NotSupportedError, match="the 'idna' package is needed"):
        hosts.parse_host("bücher.example")


IPV4 = [
    ("127.0.0.1", "127.0.0.1"),
    ("127.0.0.1.", "127.0.0.1"),
    ("0", "0.0.0.0"),
    ("0x", "0.0.0.0"),
    ("0x.0X.0", "0.0.0.0"),
    ("1", "0.0.0.1"),
    ("127.1", "127.0.0.1"),
    ("127.0.1", "127.0.0.1"),
    ("10.65535", "10.0.255.255"),
    ("1.2.65535", "1.2.255.255"),
    ("1.16777215", "1.255.255.255"),
    ("4294967295", "255.255.255.255"),
    ("0xffffffff", "255.255.255.255"),
    ("0XC0A80001", "192.168.0.1"),
    ("0300.0250.0.01", "192.168.0.1"),
    ("037777777777", "255.255.255.255"),
    ("0x7f.0.0.0x1", "127.0.0.1"),
    ("00000000000000000000000000000000000001", "0.0.0.1"),
    ("%31%32%37.1", "127.0.0.1"),
]


@pytest.mark.parametrize(("text", "host"), IPV4)
def test_ipv4(text: str, host: str) -> None:
    assert hosts.parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "256.256.256.256",
        "1.2.3.256",
        "256.1",
        "1.2.65536",
        "1.16777216",
        "4294967296",
        "0x100000000",
        "040000000000",
        "1.2.3.4.5",
        "1.2.3.4.5.",
        "1.2.3.08",
        "09",
        "0b1.2",
        "1..2",
        ".1",
        "a.1",
        "a.0x1",
        "a.0x",
        "1.2.3.-4.5",
        "9" * 5000,
        "0x" + "f" * 5000,
        "0" * 5000 + "9",
    ],
)
def test_ipv4_that_is_invalid(text: str) -> None:
    with pytest.raises(errors.SyntaxError, match="IPv4"):
        hosts.parse_host(text)


IPV6 = [
    ("::", "::"),
    ("::1", "::1"),
    ("1::", "1::"),
    ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ("2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
    ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
    ("1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
    ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ("1:0:0:2:0:0:3:4", "1::2:0:0:3:4"),
    ("1:0:0:2:0:0:0:4", "1:0:0:2::4"),
    ("1:0:0:0:2:0:0:0", "1::2:0:0:0"),
    ("0:0:1:0:0:0:0:0", "0:0:1::"),
    ("::ffff:1.2.3.4", "::ffff:102:304"),
    ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ("::255.255.255.255", "::ffff:ffff"),
    ("::0.0.0.0", "::"),
]


@pytest.mark.parametrize(("text", "host"), IPV6)
def test_ipv6(text: str, host: str) -> None:
    assert hosts.parse_host(f"[{text}]") == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        ":::",
        "1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "1:2:3:4::5:6:7:8",
        "1::2::3",
        "::1::",
        ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:",
        "12345::",
        "::g",
        "::+1",
        "::-1",
        "::1%eth0",
        "::1%25eth0",
        "::1.2.3",
        "::1.2.3.4.5",
        "::1.2.3.256",
        "::1.2.3.04",
        "::1.2.3.",
        "::1.2.3.a",
        "1.2.3.4::",
        "1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3.4:5",
        " ::1",
        "::１",
        "[::1]",
        "::1" + "0" * 5000,
    ],
)
def test_ipv6_that_is_invalid(text: str) -> None:
    with pytest.raises(errors.SyntaxError, match="IPv6"):
        hosts.parse_host(f"[{text}]")


@pytest.mark.parametrize("text", ["[", "[::1", "[::1]x", "[::1]."])
def test_brackets_must_enclose_the_host(text: str) -> None:
    with pytest.raises(errors.SyntaxError, match="bracket is not closed"):
        hosts.parse_host(text)


@pytest.mark.parametrize("text", ["", "%E2%80%8B"])
def test_empty_hosts(text: str) -> None:
    with pytest.raises(errors.SyntaxError, match="domain is empty"):
        hosts.parse_host(text)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 0xABCD, 0xFFFF]), min_size=8, max_size=8))
def test_ipv6_serialisation_agrees_with_ipaddress(pieces: list[int]) -> None:
    text = ":".join(f"{piece:04X}" for piece in pieces)
    short = hosts.serialize_ipv6(tuple(pieces))
    # ipaddress has the same rule (RFC 5952 §4.2), apart from the IPv4 form of later Pythons.
    address = ipaddress.IPv6Address(text)
    if address.ipv4_mapped is None:
        assert short == address.compressed
    assert hosts.parse_ipv6(short) == hosts.parse_ipv6(text) == tuple(pieces)


@given(st.lists(st.sampled_from([*"0123af:.", "::", "1.2.3.4", "ffff"]), max_size=12))
def test_ipv6_parsing_agrees_with_ipaddress(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        expected = int(ipaddress.IPv6Address(text))
    except ValueError:
        with pytest.raises(errors.SyntaxError):
            hosts.parse_ipv6(text)
    else:
        number = 0
        for piece in hosts.parse_ipv6(text):
            number = number << 16 | piece
        assert number == expected


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("019.xXaf%é。"))
def test_only_syntax_errors_escape_and_hosts_are_stable(text: str) -> None:
    try:
        host = hosts.parse_host(text)
    except errors.SyntaxError:
        return
    assert host.isascii()
    assert hosts.parse_host(f"[{host}]" if ":" in host else host) == host
