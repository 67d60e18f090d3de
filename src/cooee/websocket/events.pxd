cdef class Event:
    cdef readonly str type
    cdef object source
    # What the subclasses make of these is in their properties. They have no fields of their own,
    # so that events of all classes come from one free list.
    cdef object first
    cdef object second
    cdef object third


cdef class MessageEvent(Event):
    pass


cdef class CloseEvent(Event):
    pass


cdef class ErrorEvent(Event):
    pass


cdef class Listener:
    cdef object callback
    cdef bint once
    cdef bint removed
    # It stands for the on... attribute.
    cdef bint handler


cdef class EventListeners:
    cdef object target
    # Listeners by type of event, in the order they were added.
    cdef dict lists
    cdef list message
    cdef Listener find(self, list listeners, object callback)
    cdef int add(self, str type, object callback, bint once, bint handler) except -1
    cdef int discard(self, str type, Listener listener) except -1
    cdef int remove(self, str type, object callback) except -1
    cdef Listener handler(self, str type)
    cdef int set_handler(self, str type, object callback) except -1
    cdef bint has(self, str type) except -1
    cdef int dispatch(self, list listeners, Event event) except -1
    cdef int call(self, Listener listener, Event event) except -1
    cdef int fire(self, Event event) except -1


cdef MessageEvent message_event(object source, object data, str origin)
cdef Event plain_event(str type, object source)
cdef CloseEvent close_event(object source, bint was_clean, int code, str reason)
cdef ErrorEvent error_event(object source, object error)
