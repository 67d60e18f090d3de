"""A broadcast on its way to the sockets of one server."""

from cooee.engineio.prepared cimport Prepared
from cooee.socketio.packet cimport Packet
from cooee.socketio.raw cimport RawBroadcast
from cooee.socketio.socket cimport Socket


def deliver(
    dict sockets, sids, Packet packet not None, options, ack=None, RawBroadcast raw=None
):
    """
    Send an EVENT to many sockets of a namespace, written once (called by it).

    Args:
        sockets: Those of the namespace, by their ids.
        sids: Whom to send it to; ids that nobody has are passed over.
        ack: Called with the arguments of each acknowledgement, as a list.
        raw: The same for the raw sessions of the namespace; None if it has none.

    Returns:
        The sockets that it was sent to.
    """
    cdef Socket socket
    cdef Prepared prepared = None
    cdef bint volatile_ = options.volatile
    cdef list reached = []
    for sid in sids:
        socket = <Socket> sockets.get(sid)
        if socket is None:
            if raw is not None:
                raw.deliver(sid)
            continue
        if volatile_ and not socket.client.engine.is_writable():
            socket.dropped += 1
            continue
        if prepared is None:
            text, attachments = socket.client.codec.encoder.encode(packet)
            prepared = Prepared(text, attachments, options.compress)
        if socket.any_outgoing is not None:
            socket.notify_outgoing(packet.data)
        if ack is not None:
            socket.expect_shared(packet.id, ack)
        socket.client.engine.send_prepared(prepared)
        reached.append(socket)
    return reached
