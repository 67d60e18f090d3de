"""
Payloads as JSON, as JavaScript reads and writes it (ECMAScript, JSON.parse and JSON.stringify).

msgspec does nearly all of it. Where it refuses what JSON.parse accepts (surrogates by themselves,
as ``"\\ud800"``, and numbers beyond a double, which become infinite), the json module decides.
Surrogates by themselves are also written as JSON.stringify writes them.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.unicode cimport PyUnicode_DecodeUTF8

import json

import msgspec

from cooee.engineio.packet import PacketError

from cooee.socketio.payload cimport deconstruct

cdef extern from "cooee/socketio/_depth.h":
    bint cooee_nested_at_most(const char *text, size_t size, int most) noexcept

cdef enum:
    PROTOCOL_ERROR = 1002
    INVALID_DATA = 1007
    MESSAGE_TOO_BIG = 1009


cdef class Window:
    """
    Lets msgspec read a part of a message where it lies.

    It is valid during the one call that it is made for. That saves the copy, and an object each
    time.
    """

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void *> self.data, self.size, 1, flags)


cdef Window window = Window()


def _refuse(name):
    """NaN and Infinity, which Python's json reads by default, are not JSON."""
    raise ValueError(f"{name} is not JSON")


def _read_int(digits):
    """Make an integer, or a float of more digits than Python converts."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


cdef object decode = msgspec.json.Decoder().decode
cdef object encode = msgspec.json.Encoder().encode
cdef object DecodeError = msgspec.DecodeError
cdef object second_opinion = json.JSONDecoder(parse_constant=_refuse, parse_int=_read_int).decode
cdef object second_writer = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


cdef object read_json(const char *data, Py_ssize_t size, int max_depth):
    """Read one JSON text in UTF-8."""
    # Before any parser sees it, each of which has a call on the stack for each level.
    if not cooee_nested_at_most(data, size, max_depth):
        raise PacketError(
            MESSAGE_TOO_BIG, f"payload nested deeper than {max_depth} (max_depth)"
        )
    window.data = data
    window.size = size
    try:
        return decode(window)
    except DecodeError:
        pass
    except UnicodeDecodeError as exc:
        raise PacketError(INVALID_DATA, f"payload not UTF-8: {exc.reason}") from None
    except RecursionError:
        # Ours, and not of the depth: the caller stands too near to the interpreter's own limit.
        raise PacketError(
            MESSAGE_TOO_BIG, "payload nested deeper than the stack allows (max_depth)"
        ) from None
    finally:
        window.data = NULL
        window.size = 0
    try:
        return second_opinion(PyUnicode_DecodeUTF8(data, size, NULL))
    except UnicodeDecodeError as exc:
        raise PacketError(INVALID_DATA, f"payload not UTF-8: {exc.reason}") from None
    except (ValueError, RecursionError) as exc:
        raise PacketError(
            PROTOCOL_ERROR, f"invalid payload: {exc} (Socket.IO 5, Packet encoding)"
        ) from None


cdef bytes write_json(object data, int max_depth):
    """Write one JSON text in UTF-8, of data that has been inspected."""
    try:
        return encode(data)
    except UnicodeEncodeError:
        return second_writer(deconstruct(data, [], max_depth)).encode("ascii")
