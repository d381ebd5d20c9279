"""Brings up what the system runs on, looks after it, and takes it down again.

    async with LocalRuntime(data_dir, progress=print) as parts:
        parts.kafka, parts.database

or, where there is no event loop, `with LocalRuntime(...) as parts`. Everything blocking happens in
threads of the runtime's own, so a server that dies is started again even while an event loop is busy.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal

from .datadir import DataDirectory, default_data_dir, now
from .kafka import Kafka, KafkaOptions, Purpose
from .part import Part, Stopped
from .postgres import Postgres
from .trouble import RuntimeTrouble
from .zipkin import Zipkin

State = Literal["outside", "starting", "up", "down", "stopped"]
Name = Literal["kafka", "postgres", "zipkin"]
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0


@dataclass(frozen=True)
class PartStatus:
    """What is known of one part now. `state`: outside (not ours, not looked after), starting, up, down
    (`trouble` says why; it is being tried again), stopped. `since`: UTC, when this state began."""

    name: Name
    address: str
    pid: int | None
    state: State
    since: str
    restarts: int = 0
    trouble: str = ""


class Parts:
    """Where the parts are. Addresses stay the same while the runtime lives; process ids change when a
    part has died and was started again."""

    def __init__(self) -> None:
        self._status: dict[Name, PartStatus] = {}
        self._changed = threading.Condition()

    @property
    def kafka(self) -> str:
        """The broker as HOST:PORT."""
        return self._status["kafka"].address

    @property
    def database(self) -> str:
        """The database as a postgresql:// URL, for asyncpg and for SQLAlchemy."""
        return self._status["postgres"].address

    @property
    def kafka_pid(self) -> int | None:
        return self._status["kafka"].pid

    @property
    def postgres_pid(self) -> int | None:
        return self._status["postgres"].pid

    @property
    def zipkin_pid(self) -> int | None:
        return self._status["zipkin"].pid if "zipkin" in self._status else None

    @property
    def zipkin(self) -> str:
        """Where the trace backend and its search page are, as a URL; empty where none was asked for."""
        return self._status["zipkin"].address if "zipkin" in self._status else ""

    def status(self) -> dict[Name, PartStatus]:
        return dict(self._status)

    def wait_until(self, holds: Callable[[Parts], bool], timeout_s: float = 120.0) -> bool:
        """Block until `holds(parts)`; False when it did not within the time. For tests and commands:
        `parts.wait_until(lambda p: p.status()["kafka"].restarts == 1 and p.kafka_pid is not None)`."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(self), timeout_s)

    def _note(self, status: PartStatus) -> None:
        with self._changed:
            self._status = {**self._status, status.name: status}
            self._changed.notify_all()


class LocalRuntime:
    """Kafka and PostgreSQL for as long as the `with` block lasts.

    data_dir   where everything is kept (default: a place of its own per purpose, see default_data_dir);
               one run at a time may use it
    kafka, database   address and URL of servers that run already: that part is then not started
    java       a Java to use instead of the one that came with pip
    kafka_port a port the broker must have (default: one is chosen, the same at the next start if free)
    traces     bring a trace backend (Zipkin) too
    purpose    "bench" lets Java compile at full strength: slower to start, faster under load
    progress   called with a line to show whenever something takes a while
    changed    called with a PartStatus whenever a part's state changes

    Both calls arrive in a thread of the runtime's, or in the event loop under `async with`; they must
    not raise. Entering raises RuntimeTrouble, and then nothing is left running.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        *,
        kafka: str = "",
        database: str = "",
        java: str = "",
        kafka_port: int | None = None,
        traces: bool = False,
        purpose: Purpose = "work",
        progress: Callable[[str], None] | None = None,
        changed: Callable[[PartStatus], None] | None = None,
    ) -> None:
        self.data_dir = Path(data_dir) if data_dir else default_data_dir("up")
        self._outside: dict[Name, str] = {"kafka": kafka, "postgres": database}
        self._options = KafkaOptions(java=java, port=kafka_port, purpose=purpose)
        self._traces = traces
        self._progress = progress
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._ours: dict[Name, Part] = {}
        self._watchers: list[threading.Thread] = []
        self._directory: DataDirectory | None = None
        self._noting = threading.Lock()
        self.parts = Parts()

    # Entering and leaving

    def __enter__(self) -> Parts:
        self._stopping.clear()
        try:
            self._bring_up()
        except BaseException:
            self._take_down()
            raise
        return self.parts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_down()

    async def __aenter__(self) -> Parts:
        self._loop = asyncio.get_running_loop()
        entering = asyncio.ensure_future(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            self._stopping.set()  # the thread sees it, takes down what it had brought up, and ends
            await asyncio.wait([entering])
            if not entering.cancelled() and entering.exception() is None:
                await asyncio.to_thread(self._take_down)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leaving = asyncio.ensure_future(asyncio.to_thread(self._take_down))
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:
            await asyncio.wait([leaving])
            raise

    # The work

    def _bring_up(self) -> None:
        self._directory = directory = DataDirectory.hold(self.data_dir, self._say)
        for name, address in self._outside.items():
            if address:
                self._note(PartStatus(name, address, None, "outside", now()))
        if all(self._outside.values()) and not self._traces:
            return
        hold = (directory.lock,)
        if not self._outside["postgres"]:
            place = directory.part("postgres")
            self._ours["postgres"] = Postgres(place, hold, self._say, self._stopping)
        if not self._outside["kafka"]:
            place = directory.part("kafka")
            self._ours["kafka"] = Kafka(place, self._options, hold, self._say, self._stopping)
        if self._traces:
            place = directory.part("zipkin")
            self._ours["zipkin"] = Zipkin(place, self._options.java, hold, self._say, self._stopping)
        with ThreadPoolExecutor(len(self._ours)) as pool:
            starts = [pool.submit(self._start, name, part) for name, part in self._ours.items()]
            try:
                for start in starts:
                    start.result()
            except BaseException:
                self._stopping.set()
                raise
        for name, part in self._ours.items():
            watcher = threading.Thread(target=self._watch, args=(name, part), name=f"{name}-watch", daemon=True)
            watcher.start()
            self._watchers.append(watcher)

    def _start(self, name: Name, part: Part) -> None:
        part.prepare()
        self._note(PartStatus(name, part.address, None, "starting", now()))
        self._say(f"Starting {part.name}")
        part.start()
        self._note(PartStatus(name, part.address, part.pid, "up", now()))

    def _watch(self, name: Name, part: Part) -> None:
        """Start the part again whenever it has died, for as long as the runtime lives."""
        while not self._stopping.is_set():
            child = part.child
            if child is None:
                raise AssertionError("only a part that was started is watched")
            child.ended.wait()
            if not self._stopping.is_set():
                self._restart(name, part)

    def _restart(self, name: Name, part: Part) -> None:
        status = replace(self.parts.status()[name], pid=None, state="down", since=now())
        self._note(replace(status, trouble=f"{part.name} has died and is being started again."))
        self._say(f"{part.name} has died; starting it again")
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                part.start()
            except Stopped:
                return
            except RuntimeTrouble as trouble:
                self._note(replace(status, trouble=trouble.sentence))
                self._say(trouble.sentence)
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                restarts = status.restarts + 1
                self._note(PartStatus(name, part.address, part.pid, "up", now(), restarts))
                self._say(f"{part.name} is back")
                return

    def _take_down(self) -> None:
        self._stopping.set()
        self._stop_parts()
        for watcher in self._watchers:
            watcher.join()
        self._watchers.clear()
        self._stop_parts()  # one that a watcher was just starting again
        for name, part in self._ours.items():
            known = self.parts.status().get(name)
            if known is not None:
                self._note(replace(known, pid=part.pid, state="stopped", since=now()))
        self._ours.clear()
        if self._directory is not None:
            self._directory.release()
            self._directory = None

    def _stop_parts(self) -> None:
        if self._ours:
            with ThreadPoolExecutor(len(self._ours)) as pool:
                list(pool.map(lambda part: part.stop(), self._ours.values()))

    # Telling

    def _say(self, line: str) -> None:
        if self._progress is not None:
            self._tell(partial(self._progress, line))

    def _note(self, status: PartStatus) -> None:
        with self._noting:
            self.parts._note(status)
            if self._directory is not None:
                self._directory.note_parts(
                    {
                        one.name: {
                            "address": one.address,
                            "pid": one.pid,
                            "state": one.state,
                            "since": one.since,
                            "restarts": one.restarts,
                        }
                        for one in self.parts.status().values()
                    }
                )
        if self._changed is not None:
            self._tell(partial(self._changed, status))

    def _tell(self, tell: Callable[[], None]) -> None:
        if self._loop is None:
            tell()
            return
        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:  # the loop has closed: nobody is listening any more
            self._loop = None
