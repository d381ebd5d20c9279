"""Access tokens: whose are taken, whose are not, and keys that are published, rotated or cannot be had."""

from __future__ import annotations

import time
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.errors import Refused, Retryable
from shared.tokens import Issuer, Tokens

ISSUER = Issuer("https://login.example", "https://waymark.example", "https://login.example/keys")
OLD, NEW = (rsa.generate_private_key(65537, 2048) for _ in range(2))
CURVE = ec.generate_private_key(ec.SECP256R1())


def published(**keys: Any) -> bytes:
    found = []
    for number, key in keys.items():
        algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
        found.append({**orjson.loads(algorithm.to_jwk(key.public_key())), "kid": number, "use": "sig"})
    return orjson.dumps({"keys": found})


class AServer:
    """Publishes keys; counts how often it is asked."""

    def __init__(self, **keys: Any) -> None:
        self.keys = keys
        self.asked = 0
        self.away = False

    async def fetch(self, url: str) -> bytes:
        assert url == ISSUER.keys_url
        self.asked += 1
        if self.away:
            raise Retryable("away")
        return published(**self.keys)


class AClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_token(key: Any = OLD, number: str = "old", algorithm: str = "RS256", **claims: Any) -> str:
    said = {
        "iss": ISSUER.name,
        "aud": ISSUER.audience,
        "sub": "records-system",
        "exp": time.time() + 300,
        "scope": "openid police:northshire",
        **claims,
    }
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": number})


def a_check(server: AServer, clock: AClock | None = None) -> Tokens:
    return Tokens(ISSUER, fetch=server.fetch, clock=clock or AClock())


async def test_a_good_token_says_who_for_which_force() -> None:
    token = await a_check(AServer(old=OLD)).check(a_token(client_id="niche-prod"))
    assert (token.client, token.role, token.subject) == ("niche-prod", "police", "northshire")


async def test_a_key_on_a_curve_serves_as_well() -> None:
    token = await a_check(AServer(curve=CURVE)).check(a_token(CURVE, "curve", "ES256"))
    assert token.subject == "northshire"


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"iss": "https://elsewhere.example"}, "another issuer"),
        ({"aud": "https://elsewhere.example"}, "another audience"),
        ({"exp": time.time() - 3600}, "expired"),
        ({"exp": None}, "lacks one of"),
        ({"sub": None}, "lacks one of"),
        ({"nbf": time.time() + 3600}, "not valid yet"),
    ],
)
async def test_a_token_that_is_not_for_us_is_refused_with_the_reason(claims: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused) as refused:
        await a_check(AServer(old=OLD)).check(a_token(**claims))
    assert refused.value.status == 401
    assert says in refused.value.detail


async def test_a_signature_of_somebody_else_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        await a_check(AServer(old=OLD)).check(a_token(NEW, "old"))
    assert "signature" in refused.value.detail


async def test_a_token_without_signature_or_signed_with_the_public_key_is_refused() -> None:
    check = a_check(AServer(old=OLD))
    head = {"iss": ISSUER.name, "aud": ISSUER.audience, "sub": "x", "exp": time.time() + 60}
    bare = jwt.encode({**head, "scope": "police:northshire"}, "", algorithm="none", headers={"kid": "old"})
    shared = jwt.encode(
        {**head, "scope": "police:northshire"}, b"s" * 64, algorithm="HS256", headers={"kid": "old"}
    )
    for forged in (bare, shared):
        with pytest.raises(Refused) as refused:
            await check.check(forged)
        assert refused.value.status == 401


@pytest.mark.parametrize(
    "scope", ["openid", "", "police", "ops:northshire", "police:northshire police:southmere", "admin:all"]
)
async def test_a_scope_names_one_caller_or_none(scope: str) -> None:
    with pytest.raises(Refused) as refused:
        await a_check(AServer(old=OLD)).check(a_token(scope=scope))
    assert refused.value.status == 403


async def test_keys_are_asked_for_once_and_kept() -> None:
    server = AServer(old=OLD)
    check = a_check(server)
    for _ in range(5):
        await check.check(a_token())
    assert server.asked == 1


async def test_a_new_key_is_found_as_soon_as_a_token_is_signed_with_it() -> None:
    server, clock = AServer(old=OLD), AClock()
    check = a_check(server, clock)
    await check.check(a_token())
    server.keys = {"old": OLD, "new": NEW}
    clock.now += 11
    assert (await check.check(a_token(NEW, "new"))).subject == "northshire"
    assert (await check.check(a_token())).subject == "northshire"


async def test_a_withdrawn_key_is_forgotten_when_the_kept_ones_are_old() -> None:
    server, clock = AServer(old=OLD), AClock()
    check = a_check(server, clock)
    await check.check(a_token())
    server.keys = {"new": NEW}
    clock.now += 601
    with pytest.raises(Refused):
        await check.check(a_token())


async def test_made_up_key_ids_do_not_become_requests() -> None:
    server = AServer(old=OLD)
    check = a_check(server)
    await check.check(a_token())
    for number in range(20):
        with pytest.raises(Refused):
            await check.check(a_token(NEW, f"made-up-{number}"))
    assert server.asked == 1


async def test_an_issuer_that_is_away_does_not_lock_out_those_whose_key_is_known() -> None:
    server, clock = AServer(old=OLD), AClock()
    check = a_check(server, clock)
    await check.check(a_token())
    server.away = True
    clock.now += 3600
    assert (await check.check(a_token())).subject == "northshire"


async def test_without_any_key_the_answer_is_to_try_again() -> None:
    server = AServer()
    server.away = True
    with pytest.raises(Retryable):
        await a_check(server).check(a_token())


async def test_an_issuer_that_is_away_is_not_asked_again_for_every_token() -> None:
    server, clock = AServer(old=OLD), AClock()
    server.away = True
    check = a_check(server, clock)
    for _ in range(20):
        with pytest.raises(Retryable):
            await check.check(a_token())
    assert server.asked == 1
    server.away = False
    clock.now += 11
    assert (await check.check(a_token())).subject == "northshire"


@pytest.mark.parametrize("page", [b"[]", b"{}", b'{"keys": null}', b'{"keys": {}}', b"null", b"<html>"])
async def test_a_page_that_is_no_key_set_takes_no_key_away(page: bytes) -> None:
    clock = AClock()
    pages = [published(old=OLD), page]

    async def fetch(url: str) -> bytes:
        return pages.pop(0)

    check = Tokens(ISSUER, fetch=fetch, clock=clock)
    await check.check(a_token())
    clock.now += 3600
    assert (await check.check(a_token())).subject == "northshire"
    assert pages == []


@pytest.mark.parametrize("scope", [7, [7, None], {"police": "northshire"}, "police:refused:northshire"])
async def test_a_scope_that_is_none_of_ours_lets_nobody_in(scope: object) -> None:
    with pytest.raises(Refused) as refused:
        await a_check(AServer(old=OLD)).check(a_token(scope=scope))
    assert refused.value.status == 403


async def test_what_is_no_token_is_refused() -> None:
    for said in ("a.b.c", "..", "eyJ.eyJ.x"):
        with pytest.raises(Refused) as refused:
            await a_check(AServer(old=OLD)).check(said)
        assert refused.value.status == 401


async def test_a_persons_token_says_who_of_which_agency_for_which_areas() -> None:
    check = a_check(AServer(old=OLD))
    said = {"sub": "r.okafor", "scope": "openid person", "waymark_agency": "childrens_services"}
    token = await check.check(a_token(**said, waymark_areas=["northbury", "southmere"]))
    assert (token.role, token.person, token.agency) == ("person", "r.okafor", "childrens_services")
    assert token.areas == ("northbury", "southmere")
    assert (await check.check(a_token(**said, waymark_areas="northbury"))).areas == ("northbury",)
    assert (await check.check(a_token(**said))).areas == ()


async def test_a_person_of_no_agency_is_refused_since_two_agencies_must_lower() -> None:
    with pytest.raises(Refused) as refused:
        await a_check(AServer(old=OLD)).check(a_token(sub="r.okafor", scope="person"))
    assert refused.value.status == 403


@pytest.mark.parametrize("scope", ["person:northbury", "person ops", "person police:northshire"])
async def test_a_person_is_one_thing_and_nobody_else(scope: str) -> None:
    with pytest.raises(Refused) as refused:
        await a_check(AServer(old=OLD)).check(a_token(scope=scope, waymark_agency="police"))
    assert refused.value.status == 403
