"""Text: without lone surrogates on the wire, and of no class but ``str`` in native code."""

from __future__ import annotations

__all__ = ["exact_str", "usv_string"]


def exact_str(value: object, name: str) -> str:
    """
    Return the text of a ``str``, be it of a subclass such as ``enum.StrEnum``.

    Args:
        value: What was given.
        name: What for.

    Raises:
        TypeError: It is no ``str``.
    """
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{name} is {value!r}, must be a str")


def usv_string(text: str) -> str:
    """
    Return the text with each surrogate that makes no pair as U+FFFD (Web IDL §3.2.11, USVString).

    Two that make a pair become the character that they stand for.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
