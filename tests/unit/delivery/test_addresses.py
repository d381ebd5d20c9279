"""Where webhooks may go, when an address is left alone, and what is kept of a refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.delivery.domain.addresses import may_be_reached
from services.delivery.domain.circuit import FAILURES, LONGEST_REST_S, Circuit
from services.delivery.domain.scrubbing import LONGEST, scrubbed

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_may_be_reached(address: str) -> None:
    assert may_be_reached(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.7", "224.0.0.1",
        "240.0.0.1", "198.51.100.7", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "children.example", "", "1.2.3",
    ],
)  # fmt: skip
def test_no_other_address_is_reached_not_even_in_development(address: str) -> None:
    assert not may_be_reached(address)
    assert not may_be_reached(address, loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_reached_in_development_only(address: str) -> None:
    assert may_be_reached(address, loopback=True)
    assert not may_be_reached(address)


def opened(times: int = 1) -> tuple[Circuit, datetime]:
    circuit, now = Circuit(), NOON
    for _ in range(FAILURES):
        circuit.failed(now, lambda: 1.0)
    for _ in range(times - 1):
        assert circuit.rests_until is not None
        now = circuit.rests_until
        circuit.failed(now, lambda: 1.0)
    return circuit, now


def test_failures_in_a_row_open_the_circuit_and_a_success_between_them_does_not() -> None:
    circuit = Circuit()
    for _ in range(FAILURES - 1):
        assert not circuit.failed(NOON, lambda: 0.5)
    circuit.succeeded()
    assert not circuit.failed(NOON, lambda: 0.5)
    assert circuit.closed
    circuit, now = opened()
    assert circuit.rests(now)


def test_after_its_rest_one_try_decides_whether_it_closes_or_rests_for_longer() -> None:
    circuit, now = opened()
    assert circuit.rests_until is not None
    again = circuit.rests_until
    assert not circuit.rests(again)
    assert not circuit.closed
    assert circuit.failed(again, lambda: 1.0)
    assert circuit.rests_until - again > again - now
    assert circuit.succeeded()
    assert circuit.closed


def test_rests_grow_to_five_minutes_and_are_spread_over_half_of_themselves() -> None:
    circuit, now = opened(times=12)
    assert circuit.rests_until is not None
    assert circuit.rests_until - now == timedelta(seconds=LONGEST_REST_S)
    first, now = Circuit(), NOON
    for _ in range(FAILURES):
        first.failed(now, lambda: 0.0)
    assert first.rests_until == now + timedelta(seconds=2.5)


def test_a_recipient_that_asks_for_patience_is_left_alone_for_as_long() -> None:
    circuit = Circuit()
    circuit.asked_to_wait(NOON, 60)
    circuit.asked_to_wait(NOON, 10)
    assert circuit.rests(NOON + timedelta(seconds=59))
    assert not circuit.rests(NOON + timedelta(seconds=60))


def test_what_is_kept_of_a_refusal_names_fields_and_faults_and_nobody() -> None:
    said = scrubbed(
        b'{"error": "Field \'occurred_at\' is missing for Alfie Baker, 2019-04-02, 12 Mill Lane NB4 2QT,'
        b' 07700 900123, alfie@example.org", "status": 422}'
    )
    assert said.startswith('{"error": "Field \'occurred_at\' is missing for •••')
    assert '"status": 422' in said
    for personal in ("Alfie", "Baker", "2019", "Mill", "NB", "07700", "alfie", "12 ", "example"):
        assert personal not in said
    assert len(scrubbed(b"error " * 10_000)) <= LONGEST
    assert scrubbed(b"\xff\xfe\x00") == "•••"
    assert scrubbed("Łukasz error".encode()).replace("•", "").strip() == "error"
