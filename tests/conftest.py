"""What every test has: our integration is found, and sockets of this machine may be used."""

from collections.abc import Iterator

import pytest
import pytest_socket

import custom_components

# Imported before the test plug-in looks for it: the plug-in has an empty one of its own.
assert custom_components.__file__


@pytest.fixture(autouse=True)
def local_sockets() -> Iterator[None]:
    """The test plug-in blocks sockets; tests here talk to real servers on 127.0.0.1 and to Unix sockets."""
    pytest_socket.enable_socket()
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    pytest_socket.disable_socket(allow_unix_socket=True)
