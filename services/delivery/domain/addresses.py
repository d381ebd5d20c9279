"""Which network addresses a webhook may go to: public ones. A recipient's address must not lead us to
ourselves, to our neighbours or to what only we can reach (request forgery)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_CARRYING: Final = (IPv6Network("::/96"), IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""IPv4-compatible and NAT64 addresses: the last four bytes are an IPv4 address."""


def may_be_reached(address: str, *, loopback: bool = False) -> bool:
    """Whether a connection may be made to `address` (an IP address as text): only where it is public.

    `loopback`: development, where this machine itself may be reached too. An IPv6 address that carries an
    IPv4 one is judged by the one it carries. What is no address may not be reached.
    """
    try:
        inner = _inner(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if inner.is_loopback:
        return loopback
    return inner.is_global and not inner.is_multicast


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _CARRYING) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
