"""HTTP Basic authentication (RFC 7617): the value of an ``Authorization`` field, both ways."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

__all__ = ["build_basic_auth", "parse_basic_auth"]

_control: Final = re.compile("[\x00-\x1f\x7f]").search


def build_basic_auth(username: str, password: str) -> str:
    """
    Return ``Basic <credentials>``, encoded as UTF-8.

    Raises:
        ValueError: If the username has a colon, or either has a control character (RFC 7617 §2).
    """
    if ":" in username:
        raise ValueError("username has a colon, which separates it from the password (RFC 7617 §2)")
    if _control(username) or _control(password):
        raise ValueError("username or password has a control character (RFC 7617 §2)")
    # surrogateescape: userinfo in a URL may hold percent-encoded bytes that are not UTF-8
    credentials = f"{username}:{password}".encode("utf-8", "surrogateescape")
    return "Basic " + base64.b64encode(credentials).decode("ascii")


def parse_basic_auth(value: str | None) -> tuple[str, str] | None:
    """
    Return username and password, or None for a value that is missing, malformed or not Basic.

    Credentials that are not UTF-8 are taken as ISO 8859-1, which older clients send.
    """
    if value is None:
        return None
    scheme, _, credentials = value.strip(" \t").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        data = binascii.a2b_base64(credentials.strip(" \t"), strict_mode=True)
    except ValueError:  # not base64, or not ASCII
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    username, colon, password = text.partition(":")
    return (username, password) if colon else None
