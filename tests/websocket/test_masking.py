"""Masking keys of a client, which no one may predict (RFC 6455 §10.3)."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

FORK = """
import os, socket
from cooee.reactor import DefaultReactor, adopt
from cooee.websocket import Session, Settings

def key():
    reactor = DefaultReactor()
    ours, theirs = socket.socketpair()
    session = Session(Settings(), server=False)
    adopt(reactor, ours).protocol = session
    session.connection_made()
    session.send(b"x")
    return theirs.recv(100)[2:6]

key()
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, key())
    os._exit(0)
os.waitpid(child, 0)
assert os.read(read, 4) != key()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_keys_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)
