"""Text as the WHATWG's specifications have it, and Python does not: without lone surrogates."""

from __future__ import annotations

__all__ = ["usv_string"]


def usv_string(text: str) -> str:
    """
    Return the text with each surrogate that makes no pair as U+FFFD (Web IDL §3.2.11, USVString).

    Two that make a pair become the character that they stand for.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
