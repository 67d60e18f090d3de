"""
Handlers of a socket's events, and how one is called.

A client decides how many arguments an event has, and whether it wants an acknowledgement. In
JavaScript a function that takes fewer than it is given ignores the others; so that one handler
serves all clients here too, arguments beyond those that it takes are left out. An argument that it
needs and does not get is an error, as usual.
"""

import inspect
from types import FunctionType, MethodType

from cpython.object cimport PyObject

cdef extern from "Python.h":
    object PyObject_Vectorcall(
        object callable, PyObject *const *args, size_t count, PyObject *names
    )

cdef extern from *:
    """
    #define COOEE_LIST_ITEMS(list) (((PyListObject *)(list))->ob_item)
    """
    PyObject **COOEE_LIST_ITEMS(object list)

cdef int VARARGS = inspect.CO_VARARGS


cdef class Listener:
    """A handler, with what is to be known to call it."""

    cdef object call(self, list args, Py_ssize_t skip):
        """Call it with ``args[skip:]``, which nobody else may change meanwhile."""
        cdef Py_ssize_t count = len(args) - skip
        if 0 <= self.room < count:
            count = self.room
        return PyObject_Vectorcall(self.handler, COOEE_LIST_ITEMS(args) + skip, count, NULL)


cdef Listener make_listener(object handler, bint once):
    cdef Listener listener = Listener.__new__(Listener)
    if not callable(handler):
        raise TypeError(f"a handler is called, which {handler!r} cannot be")
    listener.handler = handler
    listener.room = room_of(handler)
    listener.once = once
    return listener


cdef Py_ssize_t room_of(object handler) except -2:
    """How many positional arguments it takes; -1 for any number."""
    cdef Py_ssize_t bound = 0
    if type(handler) is MethodType:
        handler = handler.__func__
        bound = 1
    # Asking the code saves most of what inspect.signature() costs, for each connection.
    if type(handler) is FunctionType and not hasattr(handler, "__wrapped__"):
        code = handler.__code__
        if code.co_flags & VARARGS:
            return -1
        return <Py_ssize_t> code.co_argcount - bound
    try:
        parameters = inspect.signature(handler, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return -1
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return -1
    count = sum(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )
    return <Py_ssize_t> count - bound


# A table has, for each key, a Listener or a list of several: most events have one.

cdef int add_listener(dict table, object key, Listener listener, bint first) except -1:
    entry = table.get(key)
    if entry is None:
        table[key] = listener
    elif first:
        table[key] = [listener, *listeners_of(table, key)]
    else:
        # A new list: the old one may be being gone through.
        table[key] = [*listeners_of(table, key), listener]
    return 0


cdef int drop_listener(dict table, object key, Listener listener) except -1:
    return put_back(table, key, [one for one in listeners_of(table, key) if one is not listener])


cdef int drop_handler(dict table, object key, object handler) except -1:
    cdef Listener one
    left = []
    for one in listeners_of(table, key):
        # Equal rather than identical: each access makes a bound method anew.
        if one.handler != handler:
            left.append(one)
    return put_back(table, key, left)


cdef int put_back(dict table, object key, list listeners) except -1:
    if not listeners:
        table.pop(key, None)
    else:
        table[key] = listeners[0] if len(listeners) == 1 else listeners
    return 0


cdef list listeners_of(dict table, object key):
    entry = table.get(key)
    if entry is None:
        return []
    return entry if type(entry) is list else [entry]
