"""
Hosts of URLs (WHATWG URL §3): domains, IPv4 and IPv6 addresses.

Only names outside ASCII, and the check of names that begin with ``xn--``, need the ``idna``
package; it is imported when the first such name comes along.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

from cooee.protocol import errors

__all__ = ["parse_host", "parse_ipv4", "parse_ipv6", "serialize_ipv6"]

# WHATWG URL §3.2: forbidden domain code points.
_forbidden: Final = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]").search
_a_label: Final = re.compile(r"(?:\A|\.)xn--").search
_digits: Final = re.compile(r"[0-9]+", re.ASCII).fullmatch
_hex_digits: Final = re.compile(r"[0-9a-fA-F]*").fullmatch
_octal_digits: Final = re.compile(r"[0-7]*").fullmatch
_piece: Final = re.compile(r"[0-9a-fA-F]{1,4}").fullmatch
_octet: Final = re.compile(r"0|[1-9][0-9]{0,2}").fullmatch


def parse_host(text: str) -> str:
    """
    Parse the host of a special URL (WHATWG URL §3.5, "host parser").

    Returns:
        A domain in ASCII and lower case, an IPv4 address as four decimal numbers, or an IPv6
        address in its shortest form, without brackets. Only the last has colons.

    Raises:
        SyntaxError: If the text is no valid host (``errors.SyntaxError``).
        NotSupportedError: If the host is not ASCII and the ``idna`` package is missing.
    """
    if text.startswith("["):
        if not text.endswith("]"):
            raise _bad_host(text, "bracket is not closed")
        return serialize_ipv6(parse_ipv6(text[1:-1]))
    domain = text
    if "%" in text:
        domain = unquote_to_bytes(text).decode("utf-8", "replace")
    domain = _domain_to_ascii(domain)
    match = _forbidden(domain)
    if match is not None:
        raise _bad_host(text, f"{match[0]!r} is forbidden in a domain")
    if not domain:
        raise _bad_host(text, "domain is empty")
    if _ends_in_a_number(domain):
        address = parse_ipv4(domain)
        return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))
    return domain


def _bad_host(text: str, fact: str) -> errors.SyntaxError:
    return errors.SyntaxError(f"host {text[:100]!r}: {fact} (WHATWG URL §3.5)")


# --- domains --------------------------------------------------------------------------------


def _domain_to_ascii(domain: str) -> str:
    """Return the domain in ASCII and lower case (WHATWG URL §3.3, not strict)."""
    if domain.isascii():
        domain = domain.lower()
        if _a_label(domain) is None:
            return domain
    try:
        import idna
    except ImportError:
        if domain.isascii():  # unchecked: the resolver knows no name that is invalid
            return domain
        raise errors.NotSupportedError(
            f"host {domain[:100]!r} is not ASCII; the 'idna' package is needed for it "
            "(pip install cooee[idna])"
        ) from None
    # idna.encode() would apply IDNA 2008, which forbids names that browsers accept, such as
    # "☃.net", and DNS length limits. So this is UTS 46 §4 with the flags that WHATWG sets:
    # CheckBidi, CheckJoiners; not CheckHyphens, UseSTD3ASCIIRules, Transitional, VerifyDnsLength.
    try:
        labels = []
        for label in idna.uts46_remap(domain, std3_rules=False).split("."):
            if label.startswith("xn--"):
                decoded = label[4:].encode("ascii").decode("punycode")
                if decoded.isascii() or _to_a_label(decoded) != label:
                    raise ValueError(f"{label!r} is not the Punycode of any label")
                label = decoded
            labels.append(label)
        bidi = any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in "".join(labels))
        for label in labels:
            if bidi and label:
                idna.check_bidi(label, check_ltr=True)
            if label.isascii():
                continue
            if idna.uts46_remap(label, std3_rules=False) != label:
                raise ValueError(f"{label!r} has characters that a label may not have")
            idna.check_initial_combiner(label)
            for i, character in enumerate(label):
                if character in "\u200c\u200d" and not idna.valid_contextj(label, i):
                    raise ValueError(f"{label!r} has a joiner out of place")
    except ValueError as exc:  # idna's errors are UnicodeError, hence ValueError
        raise _bad_host(domain, f"{str(exc)[:100]}; UTS 46 §4") from None
    return ".".join(label if label.isascii() else _to_a_label(label) for label in labels)


def _to_a_label(label: str) -> str:
    return "xn--" + label.encode("punycode").decode("ascii")


# --- addresses ------------------------------------------------------------------------------


def _ends_in_a_number(domain: str) -> bool:
    """Tell whether the domain must be an IPv4 address (WHATWG URL, "ends in a number")."""
    last = domain.removesuffix(".").rpartition(".")[2]
    return _digits(last) is not None or (
        last[:2] in ("0x", "0X") and _hex_digits(last[2:]) is not None
    )


def parse_ipv4(text: str) -> int:
    """
    Parse an IPv4 address as browsers do (WHATWG URL §3.5): 1 to 4 numbers, each decimal, octal
    (``0``) or hexadecimal (``0x``), of which the last fills all bytes that remain.

    Raises:
        SyntaxError: If the text is no such address (``errors.SyntaxError``).
    """
    parts = text.removesuffix(".").split(".")
    if len(parts) > 4:
        raise _bad_host(text, f"IPv4 address of {len(parts)} parts, at most 4")
    numbers = [_parse_ipv4_number(part, text) for part in parts]
    last = numbers.pop()
    if any(number > 255 for number in numbers):
        raise _bad_host(text, "number above 255 in an IPv4 address")
    if last >= 256 ** (4 - len(numbers)):
        raise _bad_host(text, "last number of an IPv4 address is too large")
    return last + sum(number << 8 * (3 - i) for i, number in enumerate(numbers))


def _parse_ipv4_number(part: str, text: str) -> int:
    if part[:2] in ("0x", "0X"):
        digits, base, valid = part[2:], 16, _hex_digits
    elif len(part) > 1 and part[0] == "0":
        digits, base, valid = part[1:], 8, _octal_digits
    else:
        digits, base, valid = part, 10, _digits
    if valid(digits) is None:
        raise _bad_host(text, f"{part[:40]!r} is no number of an IPv4 address")
    digits = digits.lstrip("0")
    # 32 bits have at most 11 octal digits. A long number is too large in any case, and
    # int() of thousands of digits is slow, then an error of its own.
    return int(digits or "0", base) if len(digits) <= 11 else 1 << 32


def parse_ipv6(text: str) -> tuple[int, ...]:
    """
    Parse an IPv6 address without its brackets into its 8 pieces (WHATWG URL §3.5).

    Zone identifiers are refused, as browsers do.

    Raises:
        SyntaxError: If the text is no such address (``errors.SyntaxError``).
    """
    head, compressed, tail = text.partition("::")
    first = _parse_pieces(head, text, allow_ipv4=not compressed)
    rest = _parse_pieces(tail, text, allow_ipv4=True)
    missing = 8 - len(first) - len(rest)
    # "::" stands for at least one piece.
    if missing < 1 if compressed else missing != 0:
        raise _bad_host(text, f"IPv6 address of {8 - missing} pieces, 8 needed")
    return (*first, *(0,) * missing, *rest)


def _parse_pieces(group: str, text: str, *, allow_ipv4: bool) -> list[int]:
    if not group:
        return []
    parts = group.split(":")
    pieces = []
    if allow_ipv4 and "." in parts[-1]:
        octets = parts.pop().split(".")
        if len(octets) != 4 or not all(_octet(o) is not None and int(o) < 256 for o in octets):
            raise _bad_host(text, "malformed IPv4 part of an IPv6 address")
        a, b, c, d = map(int, octets)
        pieces = [a << 8 | b, c << 8 | d]
    for part in parts:
        if _piece(part) is None:
            raise _bad_host(text, f"{part[:40]!r} is no piece of an IPv6 address")
    return [int(part, 16) for part in parts] + pieces


def serialize_ipv6(pieces: tuple[int, ...]) -> str:
    """Return the shortest form: the first longest run of two or more zeros becomes ``::``."""
    start, length = 0, 1
    i = 0
    while i < 8:
        j = i
        while j < 8 and pieces[j] == 0:
            j += 1
        if j - i > length:
            start, length = i, j - i
        i = j + 1
    text = [f"{piece:x}" for piece in pieces]
    if length == 1:
        return ":".join(text)
    return ":".join(text[:start]) + "::" + ":".join(text[start + length :])
