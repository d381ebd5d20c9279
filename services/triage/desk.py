"""The screening desk: what people see of a case, and what they do about it, one function per request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from services.triage import claims, screening, store
from services.triage.claims import may_see, refuse_others
from services.triage.domain.answers import choices, why_unfit
from services.triage.explaining import why_look
from services.triage.handlers import Handlers, news_between, record_act
from services.triage.protocols.wording import named
from services.triage.screening import Act, ActStanding
from services.triage.store import Decided, Wanted
from shared import audit, ledger
from shared.contracts.base import write_exact_moment, write_moment
from shared.db import Row
from shared.errors import Refused
from shared.keys import Caller
from shared.outbox import EmittingTransaction, Outbox


@dataclass(frozen=True, slots=True)
class Said:
    """An act as a person said it. `to`: the levels and services that should hold; `set_aside`: the reasons
    that a lowering sets aside; `fact`, `answer`, `about`: a question answered, and of which child."""

    act: str
    kind: Literal["confirm", "raise", "lower", "answer"]
    version: int | None
    to: Mapping[str, Any]
    reason: str | None
    confirms: str | None
    set_aside: tuple[str, ...] = ()
    fact: str | None = None
    answer: Any = None
    about: str | None = None

    def kept(self) -> dict[str, Any]:
        """What of it is kept with the act; the reasons set aside are added with the facts they stand on."""
        if self.kind == "answer":
            return {"fact": self.fact, "answer": self.answer, "about": self.about}
        return dict(self.to)


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of an act. `version`: the case's from which on it counts, else the one it looked at."""

    act: str
    standing: ActStanding
    version: int
    state: str
    detail: str


_TOLD: Final[dict[str, str]] = {
    "applied": "Applied.",
    "waiting": "Waits for a second person of another agency, with a reason of their own.",
    "lapsed": "Lapsed: the case was decided anew before a second person agreed.",
}


class Desk:
    """Everything that persons do over HTTP, each within the areas of their key."""

    def __init__(self, outbox: Outbox, handlers: Handlers, named_staff: frozenset[str]) -> None:
        self._outbox = outbox
        self._named_staff = named_staff
        self._handlers = handlers
        self.database = outbox.database

    async def hear(self, caller: Caller, case: str, said: Said) -> Heard:
        """Take an act. The same act sent again is answered again and done once.

        Raises Refused: 404 (no such case in the caller's areas), 409 (not as the case stands), 422.
        """
        who = caller.person or caller.key
        await self._handlers.ready()
        async with self._outbox.transaction() as tx:
            found = (await store.load(tx, [case])).get(case)
            if found is None or not self._may_see(caller, found):
                raise _no_such_case()
            acts = (await store.load_acts(tx, [case])).get(case, [])
            before = next((act for act in acts if act.id == said.act), None)
            if before is not None:
                return _again(before, who, said, found)
            if found.standing.state == "withdrawn":
                raise Refused(
                    409, "Withdrawn", "The police withdrew this incident; there is nothing to decide."
                )
            if said.version is not None and said.version != found.version:
                raise Refused(
                    409,
                    "Decided anew",
                    f"You looked at version {said.version}; the case is at version {found.version} now.",
                    version=found.version,
                )
            act = Act(
                id=said.act,
                kind=said.kind,
                who=who,
                agency=caller.agency,
                at=ledger.now(),
                looked_at=found.version,
                said=said.kept(),
                reason=said.reason,
                confirms=said.confirms,
            )
            match said.kind:
                case "confirm":
                    return await self._confirm(tx, found, act, acts, said)
                case "raise":
                    return await self._raise(tx, found, act, acts)
                case "lower":
                    return await self._lower(tx, found, act, acts, said)
                case "answer":
                    return await self._answer(tx, found, act, acts)

    async def _answer(self, tx: EmittingTransaction, found: Decided, act: Act, acts: Sequence[Act]) -> Heard:
        """A question of the decision is answered: the case is decided as though the incident had said it."""
        fact, answer = act.said["fact"], act.said["answer"]
        if fact is None:
            raise Refused(422, "Which question", "Name in `fact` the question you answer.", at="/fact")
        asked = {question["fact"] for question in orjson.loads(found.receipt)["questions"]}
        if fact not in asked:
            raise Refused(409, "Not asked", f"This decision does not ask {fact}: nothing hangs on it.")
        why_not = why_unfit(fact, answer)
        if why_not:
            raise Refused(422, "No answer", why_not, at="/answer")
        decided = await self._handlers.decide_again(tx, found, act, acts, why="person_decided")
        return _heard(act, decided.version, decided.standing.state)

    async def _confirm(
        self, tx: EmittingTransaction, found: Decided, act: Act, acts: Sequence[Act], said: Said
    ) -> Heard:
        """A person agrees with the decision as it stands; it leaves the queue.

        One that routes nobody is not closed by that where a child is possible: when its time is up it goes
        to children's services all the same (S8, S11). Without a child it may rest, with a reason.
        """
        _needs_version(said)
        refuse_others(await claims.standing(tx, found.case, act.at), act.who)
        await claims.end(tx, found.case, act.at)
        held = found.standing.state == "held"
        if held and not screening.child_possible(orjson.loads(found.receipt)):
            _needs_reason(act)
            decided = await self._handlers.decide_again(
                tx, found, act, acts, why="person_decided", settled=True
            )
            return _heard(act, decided.version, decided.standing.state)
        act = replace(act, version=found.version)
        await store.add_act(tx, found.case, act)
        await store.note_look(tx, found.case, act.who, act.at)
        await record_act(tx, found.case, act)
        return _heard(act, found.version, found.standing.state)

    async def _raise(self, tx: EmittingTransaction, found: Decided, act: Act, acts: Sequence[Act]) -> Heard:
        """One person raises, with a reason (S14)."""
        _needs_reason(act)
        if not act.said:
            raise Refused(
                422,
                "To what",
                "Say in `to` what should hold: child_level, victim_level, css_response or services.",
                at="/to",
            )
        why_not = screening.why_no_raise(orjson.loads(found.receipt)["result"], act.said)
        if why_not:
            raise Refused(409, "Nothing raised", why_not)
        decided = await self._handlers.decide_again(tx, found, act, acts, why="person_decided")
        if screening.why_no_raise(orjson.loads(decided.receipt)["result"], act.said) is None:
            raise Refused(
                409,
                "Not raised so far",
                "Nobody is known in this case whom that could be about: a child's level or service needs a "
                "child. Ask the police to name the child.",
            )
        return _heard(act, decided.version, decided.standing.state)

    async def _lower(
        self, tx: EmittingTransaction, found: Decided, act: Act, acts: Sequence[Act], said: Said
    ) -> Heard:
        """Two persons of two agencies set aside what stood before, each with a reason of their own (S14).

        The case then stands where the rules put it on the facts as they are: earlier results and people's
        raises go, and so do the reasons that both name in `set_aside`, on the facts they stand on. Any
        other reason, or one of these on other facts, raises it again. Until a second person agrees, the first
        may write the proposal anew.
        """
        _needs_version(said)
        _needs_reason(act)
        if act.agency is None:
            raise Refused(403, "No agency", "Lowering takes two agencies, and your key names none.")
        receipt = orjson.loads(found.receipt)
        guards = f"{receipt['safeguards']['id']}/{receipt['safeguards']['version']}"
        aside, why_not = screening.reasons_named(receipt, said.set_aside, guards)
        if why_not:
            raise Refused(422, "Not set aside", why_not, at="/set_aside")
        if aside:
            act = replace(act, said={**act.said, "set_aside": aside})
        raises = [replace(one, standing="lapsed") for one in acts if one.kind == "raise"]
        gone = {one.id for one in raises}
        rest = [one for one in acts if one.id not in gone]
        computed = self._handlers.compute_afresh(found, [*rest, act], act.at)
        why_not = screening.why_no_lowering(receipt["result"], computed["result"], act.said)
        if why_not:
            raise Refused(409, "Nothing lowered", why_not)
        first = next((one for one in acts if one.kind == "lower" and one.standing == "waiting"), None)
        if act.confirms is not None and (first is None or first.id != act.confirms):
            raise Refused(409, "Nothing to confirm", "No proposal of that id waits on this case.")
        if first is None or screening.corrects(first, act):
            if first is not None:
                await store.note_standing(tx, found.case, replace(first, standing="lapsed"))
            proposal = replace(act, standing="waiting")
            await store.add_act(tx, found.case, proposal)
            await record_act(tx, found.case, proposal)
            return _heard(proposal, found.version, found.standing.state)
        why_not = screening.why_not_second(first, act)
        if why_not:
            raise Refused(409, "Not by the two of you", why_not)
        agreed = replace(first, standing="applied", version=found.version + 1)
        decided = await self._handlers.decide_again(
            tx,
            found,
            replace(act, confirms=first.id),
            acts,
            why="person_decided",
            changed=[*raises, agreed],
            afresh=True,
        )
        return _heard(act, decided.version, decided.standing.state)

    async def show(self, caller: Caller, case: str) -> dict[str, Any]:
        """The case as a person of its areas sees it. Looking is audited. Raises Refused (404)."""
        async with self._outbox.database.transaction() as tx:
            found = await store.look_up(tx, case)
            if found is None or not self._may_see(caller, found):
                raise _no_such_case()
            acts = (await store.load_acts(tx, [case])).get(case, [])
            versions = await store.versions(tx, case)
            before = None if found.supersedes is None else await store.event_of(tx, case, found.supersedes)
            who = caller.person or caller.key
            claimed = await claims.standing(tx, case, ledger.now())
            await audit.record(tx, who=who, act="looked", case=case, version=found.version)
        shown = _shown(found, acts, versions, who)
        shown["news"] = [] if before is None else news_between(before, found.event) or []
        if claimed is not None:
            shown["claim"] = {"by": claimed.who, "until": write_moment(claimed.until)}
        return shown

    async def queue(self, caller: Caller, wanted: Wanted, limit: int) -> dict[str, Any]:
        """A page of what waits for a person in the caller's areas; for ops everywhere, with ids and times
        alone. `total`: on all pages; `next`: what the next page begins after."""
        ops = caller.role == "ops"
        wanted = replace(wanted, restricted=ops or caller.person in self._named_staff)
        async with self._outbox.database.transaction() as tx:
            rows = await store.queue(tx, wanted, limit=limit + 1)
            total = await store.count_queue(tx, wanted)
        now = ledger.now()
        more = len(rows) > limit
        rows = rows[:limit]
        return {
            "cases": [_queued(row, now, ids_only=ops) for row in rows],
            "total": total,
            "next": f"{write_exact_moment(rows[-1]['waits_until'])} {rows[-1]['case']}" if more else None,
        }

    def _may_see(self, caller: Caller, found: Decided) -> bool:
        return may_see(caller, found.visible_to, restricted=found.restricted, named_staff=self._named_staff)


def _no_such_case() -> Refused:
    return Refused(404, "No such case", "There is no case of this id in your areas.")


def _needs_version(said: Said) -> None:
    if said.version is None:
        raise Refused(422, "Which version", "Say in `version` which version you looked at.", at="/version")


def _needs_reason(act: Act) -> None:
    if act.reason is None:
        raise Refused(422, "Why", "Write your reason in `reason`.", at="/reason")


def _heard(act: Act, version: int, state: str) -> Heard:
    return Heard(act.id, act.standing, version, state, _TOLD[act.standing])


def _again(before: Act, who: str, said: Said, found: Decided) -> Heard:
    kept = {name: value for name, value in before.said.items() if name != "set_aside"}
    same = (
        before.who == who
        and before.reason == said.reason
        and kept == said.kept()
        and set(before.said.get("set_aside") or ()) == set(said.set_aside)
    )
    if not same:
        raise Refused(409, "Another act", "This id was used for another act on this case: choose a new one.")
    version = before.version if before.version is not None else before.looked_at
    return _heard(before, version, found.standing.state)


def _shown(found: Decided, acts: Sequence[Act], versions: Sequence[Row], who: str) -> dict[str, Any]:
    standing = found.standing
    body = orjson.loads(found.event)["body"]
    history, likely = _certain(body["history"])
    asked = orjson.loads(found.receipt)["questions"]
    return {
        "case": found.case,
        "version": found.version,
        "revision": found.revision,
        "state": standing.state,
        "held_by": standing.held_by,
        "held_until": _moment(standing.held_until),
        "area": found.area,
        "decision": {
            "schema": "waymark.decision/1",
            "case": found.case,
            "version": found.version,
            "family": found.family,
            "supersedes": found.supersedes,
            "receipt": orjson.Fragment(found.receipt),
            "people_decided": list(found.people),
        },
        "digest": found.digest,
        "incident": body["incident"],
        "history": history,
        "likely": likely,
        "answers": {
            one["fact"]: {"words": named(one["fact"]), **(choices(one["fact"]) or {})} for one in asked
        },
        "review": {
            "waiting": standing.waits_until is not None,
            "due": _moment(standing.waits_until),
            "because": list(standing.waits_for),
            "words": [why_look(because) for because in standing.waits_for],
            "looked_by": found.looked_by,
            "looked_at": _moment(found.looked_at),
        },
        "versions": [
            {
                **row,
                "as_of": _moment(row["as_of"]),
                "decided_at": _moment(row["decided_at"]),
            }
            for row in versions
        ],
        "acts": [_act_shown(act, who) for act in acts],
    }


def _certain(history: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """The history without what only may be this family's, and how much of each kind that is: nothing of
    another record is told before a person confirms the link (design.md, promise 6)."""
    kept, likely = dict(history), {}
    for part, entries in history.items():
        if isinstance(entries, list):
            kept[part] = [
                one for one in entries if not isinstance(one, dict) or one.get("link", "certain") == "certain"
            ]
            if len(kept[part]) < len(entries):
                likely[part] = len(entries) - len(kept[part])
    return kept, likely


def _act_shown(act: Act, who: str) -> dict[str, Any]:
    """An act; the words of a proposal are shown to nobody else unless a second person wrote their own."""
    shown = act.for_readers()
    unseconded = act.kind == "lower" and act.standing != "applied" and act.who != who
    if unseconded:
        shown.pop("set_aside", None)
        shown["to"] = {}
    shown |= {"standing": act.standing, "looked_at": act.looked_at, "version": act.version}
    if act.confirms is not None:
        shown["confirms"] = act.confirms
    if not unseconded:
        shown["reason"] = act.reason
    return shown


def _queued(row: Row, now: datetime, *, ids_only: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "case": row["case"],
        "version": row["version"],
        "area": row["area"],
        "state": row["state"],
        "held_by": row["held_by"],
        "due": _moment(row["waits_until"]),
        "overdue": row["waits_until"] < now,
    }
    if not ids_only:
        shown["level"] = {
            "child_level": row["child_level"],
            "victim_level": row["victim_level"],
            "css_response": row["css_response"],
        }
        shown["why"] = list(row["waits_for"])
        shown["why_words"] = [why_look(because) for because in row["waits_for"]]
        claimed = row["claimed_until"] is not None and row["claimed_until"] > now
        shown["claimed_by"] = row["claimed_by"] if claimed else None
        shown["claimed_until"] = _moment(row["claimed_until"]) if claimed else None
    return shown


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else write_moment(moment)
