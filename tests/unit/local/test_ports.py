"""Ports are chosen so that two runs do not collide and a restart finds its port again."""

from __future__ import annotations

import socket

from deploy.local import ports

EARLIEST_OUTGOING = 32_768  # from here on systems give ports to connections that go out


def test_a_chosen_port_is_free_and_never_one_that_outgoing_connections_are_given() -> None:
    for _ in range(50):
        port = ports.choose()
        assert port < EARLIEST_OUTGOING
        assert ports.is_free(port)


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.create_server((ports.HOST, 0)) as listener:
        assert not ports.is_free(listener.getsockname()[1])


def test_a_port_with_only_a_fading_connection_is_free() -> None:
    with socket.create_server((ports.HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((ports.HOST, port)):
            accepted, _ = listener.accept()
            accepted.close()  # the listening side closes first, so its port goes to TIME_WAIT
    assert ports.is_free(port)


def test_ports_that_are_spoken_for_are_not_chosen() -> None:
    spoken_for = frozenset(range(ports.LOWEST, ports.HIGHEST - 1_000))
    assert ports.choose(but=spoken_for) not in spoken_for
