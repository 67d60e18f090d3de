"""
What is in a payload: looking for binary data, taking it out, putting it back (Socket.IO protocol,
"Binary events").

An EVENT with bytes in its payload is written with ``{"_placeholder": true, "num": 0}`` in their
place, and they follow as attachment number 0.

Most payloads have none. To find that out, msgspec is of no help: it encodes bytes without asking,
as base64. A walk in C does it, which calls nothing and costs some nanoseconds for each value.
"""

from cpython.bytes cimport PyBytes_CheckExact
from cpython.dict cimport PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.object cimport PyObject
from libc.math cimport isfinite

import msgspec

from cooee.engineio.packet import PacketError

cdef extern from "Python.h":
    # The usual ones, for borrowed references.
    bint is_str "PyUnicode_CheckExact" (PyObject *value)
    bint is_int "PyLong_CheckExact" (PyObject *value)
    bint is_float "PyFloat_CheckExact" (PyObject *value)
    bint is_bool "PyBool_Check" (PyObject *value)
    bint is_dict "PyDict_CheckExact" (PyObject *value)
    bint is_list "PyList_CheckExact" (PyObject *value)
    bint is_tuple "PyTuple_CheckExact" (PyObject *value)
    bint is_bytes "PyBytes_CheckExact" (PyObject *value)
    bint is_bytearray "PyByteArray_CheckExact" (PyObject *value)
    bint is_memoryview "PyMemoryView_Check" (PyObject *value)
    Py_ssize_t list_size "PyList_GET_SIZE" (PyObject *value)
    Py_ssize_t tuple_size "PyTuple_GET_SIZE" (PyObject *value)
    PyObject *list_item "PyList_GET_ITEM" (PyObject *value, Py_ssize_t index)
    PyObject *tuple_item "PyTuple_GET_ITEM" (PyObject *value, Py_ssize_t index)
    PyObject *Py_None

cdef enum:
    PROTOCOL_ERROR = 1002

cdef object to_builtins = msgspec.to_builtins
cdef object Raw = msgspec.Raw
cdef object Ext = msgspec.msgpack.Ext


cdef inline bint is_leaf(PyObject *value) noexcept:
    return (
        is_str(value) or is_int(value) or value == Py_None or is_float(value) or is_bool(value)
    )


cdef int inspect(PyObject *value, int room) except -1:
    """
    Return which of PLAIN, BINARY and FOREIGN there is, as a set of bits.

    Keys of dicts are not looked at. Objects that are referred to by what they contain, and other
    data that is nested deeper than `room`, are a ValueError.
    """
    cdef int found = PLAIN
    cdef Py_ssize_t index = 0
    cdef PyObject *item
    if is_leaf(value):
        return PLAIN
    if is_bytes(value) or is_bytearray(value) or is_memoryview(value):
        return BINARY
    if is_list(value):
        check_room(room)
        for index in range(list_size(value)):
            item = list_item(value, index)
            if not is_leaf(item):
                found |= inspect(item, room - 1)
    elif is_dict(value):
        check_room(room)
        while PyDict_Next(<object> value, &index, NULL, &item):
            if not is_leaf(item):
                found |= inspect(item, room - 1)
    elif is_tuple(value):
        check_room(room)
        for index in range(tuple_size(value)):
            item = tuple_item(value, index)
            if not is_leaf(item):
                found |= inspect(item, room - 1)
    # What the application has encoded already.
    elif type(<object> value) is not Raw and type(<object> value) is not Ext:
        return FOREIGN
    return found


cdef object convert(object data, object enc_hook, tuple keep):
    """
    Make builtin types of everything but what is in `keep`: of dataclasses, Structs, sets, UUIDs ...

    The hook is asked about types that msgspec does not know.
    """
    def plain(value):
        # Of subclasses, what they are without what they add.
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, (bytes, bytearray)):
            return bytes(memoryview(value))
        if enc_hook is not None:
            try:
                return enc_hook(value)
            except NotImplementedError:
                pass
        raise TypeError(f"a payload cannot have objects of type {type(value).__name__}")

    try:
        return to_builtins(data, builtin_types=keep, str_keys=True, enc_hook=plain)
    except RecursionError:
        raise ValueError("data nested too deep, or within itself (max_depth)") from None


cdef object deconstruct(object value, list attachments, int room):
    """
    Return a copy with placeholders for binary data, which is appended to the attachments.

    Mutable buffers are copied: attachments may wait to be sent. Numbers that are not finite become
    None, as JSON.stringify has it.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        check_room(room)
        return {
            key: deconstruct(item, attachments, room - 1) for key, item in (<dict> value).items()
        }
    if isinstance(value, (list, tuple)):
        check_room(room)
        return [deconstruct(item, attachments, room - 1) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        attachments.append(value if PyBytes_CheckExact(value) else bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if PyFloat_CheckExact(value) and not isfinite(PyFloat_AS_DOUBLE(value)):
        return None
    return value


cdef object reconstruct(object value, list attachments):
    """
    Put attachments in the places of their placeholders, within `value` itself, and return it.

    How deep it is nested has been checked when it was read.
    """
    cdef Py_ssize_t index
    cdef list items
    cdef object item, new
    if isinstance(value, list):
        items = value
        for index in range(len(items)):
            item = items[index]
            if isinstance(item, (dict, list)):
                items[index] = reconstruct(item, attachments)
    elif isinstance(value, dict):
        if (<dict> value).get("_placeholder") is True:
            return attachment(value, attachments)
        for key, item in (<dict> value).items():
            if isinstance(item, (dict, list)):
                new = reconstruct(item, attachments)
                if new is not item:
                    # Keys stay as they are, so that going on with the loop is allowed.
                    (<dict> value)[key] = new
    return value


cdef object attachment(dict placeholder, list attachments):
    num = placeholder.get("num")
    # For JavaScript 1.0 is 1; for us True is not.
    if isinstance(num, float) and num.is_integer():
        num = int(num)
    if type(num) is not int or not 0 <= num < len(attachments):
        raise PacketError(
            PROTOCOL_ERROR,
            f"illegal attachments: placeholder number {num!r} of {len(attachments)} "
            "(Socket.IO 5, Packet encoding)",
        )
    return attachments[num]
