"""How much one caller may send: told honestly when there is more, and each caller by itself."""

from __future__ import annotations

import pytest

from services.intake.allowance import BATCHES_AT_ONCE, Allowance
from services.intake.settings import Settings
from shared.errors import BadSettings, Refused
from shared.settings import read_settings


async def refused(allowance: Allowance, key: str) -> bool:
    try:
        await allowance.take(key)
    except Refused as answer:
        return says_when(answer)
    return False


def says_when(answer: Refused) -> bool:
    """Whether it is a 429 with the seconds to wait: any other refusal fails the test."""
    assert (answer.status, int(answer.headers["Retry-After"]) >= 1) == (429, True)
    return True


async def test_each_caller_has_an_allowance_of_its_own() -> None:
    allowance = Allowance(posts_per_s=3)
    assert [await refused(allowance, "wild") for _ in range(5)] == [False, False, False, True, True]
    assert [await refused(allowance, "calm") for _ in range(3)] == [False, False, False]


async def test_what_is_refused_is_not_counted_against_the_caller() -> None:
    """Else whoever asks again too soon would never be let in."""
    allowance = Allowance(posts_per_s=2)
    assert [await refused(allowance, "k") for _ in range(1000)] == [False, False] + [True] * 998


@pytest.mark.parametrize("posts_per_s", [1, 1.5, 2.7])
async def test_an_allowance_that_is_no_whole_number_lets_in_what_is_whole(posts_per_s: float) -> None:
    allowance = Allowance(posts_per_s=posts_per_s)
    took = [await refused(allowance, "k") for _ in range(5)]
    assert took == [n >= int(posts_per_s) for n in range(5)]


def start(allowance: Allowance, key: str) -> bool:
    try:
        allowance.start_batch(key)
    except Refused as answer:
        return not says_when(answer)
    return True


def test_a_batch_that_was_refused_takes_no_place_and_one_that_ended_gives_its_own_back() -> None:
    allowance = Allowance(posts_per_s=1)
    assert [start(allowance, "k") for _ in range(BATCHES_AT_ONCE + 2)] == [True] * BATCHES_AT_ONCE + [False] * 2
    assert start(allowance, "another")
    for _ in range(3):
        allowance.end_batch("k")
        assert start(allowance, "k")
        assert not start(allowance, "k")


@pytest.mark.parametrize("left_out", ["ISSUER", "AUDIENCE", "KEYS_URL"])
def test_an_authorisation_server_named_in_part_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    """Half of it would mean: no token is taken, and nobody is told why."""
    monkeypatch.setenv("WAYMARK_DATABASE", "postgresql://")
    monkeypatch.setenv("WAYMARK_KAFKA", "127.0.0.1:1")
    for name in {"ISSUER", "AUDIENCE", "KEYS_URL"} - {left_out}:
        monkeypatch.setenv(f"WAYMARK_OAUTH_{name}", "https://login.example")
    with pytest.raises(BadSettings, match="belong together") as told:
        read_settings(Settings)
    assert f"WAYMARK_OAUTH_{left_out}" in str(told.value)
    monkeypatch.setenv(f"WAYMARK_OAUTH_{left_out}", "https://login.example")
    assert read_settings(Settings).oauth_issuer == "https://login.example"
