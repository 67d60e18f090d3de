cdef enum:
    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6

cdef extern from *:
    """
    #define COOEE_SOCKETIO_MAX_ID 9007199254740991LL
    """
    # The largest integer that JavaScript is exact about (ECMAScript, Number.MAX_SAFE_INTEGER).
    const long long MAX_ID "COOEE_SOCKETIO_MAX_ID"


cdef class Packet:
    # CONNECT to CONNECT_ERROR.
    cdef int kind
    cdef readonly str namespace
    cdef readonly object id
    cdef readonly object data


cdef Packet make_packet(int kind, str namespace, object id, object data)
cdef bint is_event_name(object name) except -1
cdef bint is_payload(int kind, object data) except -1
cdef object wrong_payload(int kind, object data)
cdef str payload_rule(int kind)
