"""Ports on the loopback address, chosen so that two runs do not collide."""

from __future__ import annotations

import random
import socket

import psutil

from .trouble import RuntimeTrouble

HOST = "127.0.0.1"
# Below the range from which systems give ports to outgoing connections (Linux from 32768, macOS and
# Windows from 49152): a port from that range can be lost to somebody's client while a broker restarts.
LOWEST, HIGHEST = 20_000, 32_000
TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now. Connections that are fading out do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(*, but: frozenset[int] = frozenset()) -> int:
    """A port that is free now and not among `but`. Chosen at random, so that two runs that start
    together seldom choose the same; the caller still tries again when it was taken meanwhile."""
    chance = random.SystemRandom()
    for _ in range(TRIES):
        port = chance.randrange(LOWEST, HIGHEST)
        if port not in but and is_free(port):
            return port
    raise RuntimeTrouble(
        f"No free port was found between {LOWEST} and {HIGHEST} on {HOST}."
        " Stop what holds them, or name one with WAYMARK_KAFKA_PORT."
    )


def require_free(port: int, what: str) -> None:
    """Check a port that `what` (Kafka) was given by number. Raises RuntimeTrouble when it is taken."""
    if not is_free(port):
        raise taken(port, what)


def taken(port: int, what: str) -> RuntimeTrouble:
    return RuntimeTrouble(
        f"Port {port}, which {what} was to have, is taken by {holder(port)}. Stop that, or name another"
        " port, or name none and one is chosen."
    )


def holder(port: int) -> str:
    """Who listens on `port`, in words; other users' processes may not be visible."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        return "another process"
    return "another process"
