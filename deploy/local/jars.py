"""The jars of Apache Kafka and of Zipkin: which ones, and how they get here.

kafka-jars.lock and zipkin-jars.lock (jgo's own format; lockfile.py writes them) name each jar with its sha256,
and no address.
jgo fetches them in pure Python: neither `mvn` nor `java` is needed. Every jar is checked against the lock
at every start.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import ssl
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .trouble import RuntimeTrouble, explain_os_error, require_space

if TYPE_CHECKING:
    from jgo.maven import MavenContext

FETCHES_AT_ONCE = 4
FETCH_TIMEOUT_S = 30


@dataclass(frozen=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str
    classifier: str = ""

    @property
    def path(self) -> PurePosixPath:
        """Its place in a directory laid out as Maven does."""
        kind = f"-{self.classifier}" if self.classifier else ""
        name = f"{self.artifact}-{self.version}{kind}.jar"
        return PurePosixPath(*self.group.split("."), self.artifact, self.version, name)


@dataclass(frozen=True)
class Program:
    """What a lock brings: its name, how much is fetched (MB), how much space that takes (MB), and what to do
    where it cannot be had."""

    name: str
    lock: Path
    fetched_mb: int
    space_mb: int
    otherwise: str


KAFKA = Program(
    "Apache Kafka",
    Path(__file__).with_name("kafka-jars.lock"),
    44,
    150,
    "set WAYMARK_KAFKA to the address of a broker that runs already",
)
ZIPKIN = Program(
    "Zipkin",
    Path(__file__).with_name("zipkin-jars.lock"),
    131,
    300,
    "start without --traces; OTEL_EXPORTER_OTLP_ENDPOINT names a collector of your own",
)


def read_lock(lock: Path = KAFKA.lock) -> list[Jar]:
    document = tomllib.loads(lock.read_text(encoding="utf-8"))
    return [
        Jar(
            entry["groupId"],
            entry["artifactId"],
            entry["version"],
            entry["sha256"],
            entry.get("classifier", ""),
        )
        for entry in document["dependencies"]
    ]


def cache_dir() -> Path:
    """The user's cache directory for jars (XDG_CACHE_HOME, else ~/.cache). Safe to delete at any time."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "waymark" / "jars"


def prepare_jars(
    say: Callable[[str], None] = lambda _: None,
    program: Program = KAFKA,
    *,
    jars: list[Jar] | None = None,
    cache: Path | None = None,
    fetch: Callable[[Jar, Path], Path] | None = None,
) -> list[Path]:
    """The class path of the program, every jar present and checked; missing ones are fetched, once.

    Jars that lie in ~/.m2 already are taken from there when their sha256 is right. `fetch` (jar,
    directory to put it under) returns where it put the jar. Raises RuntimeTrouble when a jar cannot be
    had or is not what the lock says.
    """
    jars = read_lock(program.lock) if jars is None else jars
    cache = cache_dir() if cache is None else cache
    places = {jar: cache / jar.path for jar in jars}
    missing = [jar for jar, place in places.items() if not is_right(place, jar)]
    if missing:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            require_space(cache, program.space_mb)
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as incoming:
                bring(program, missing, places, Path(incoming), fetch or fetcher(program), say)
        except OSError as error:
            raise explain_os_error(error, f"keeping the jars of {program.name} under {cache}") from error
    return list(places.values())


def bring(
    program: Program,
    missing: list[Jar],
    places: dict[Jar, Path],
    incoming: Path,
    fetch: Callable[[Jar, Path], Path],
    say: Callable[[str], None],
) -> None:
    brought = 0
    counting = threading.Lock()

    def bring_one(jar: Jar) -> None:
        nonlocal brought
        arrived = at_home(jar, incoming) or fetch(jar, incoming)
        if not is_right(arrived, jar):
            raise RuntimeTrouble(
                f"The jar {jar.artifact} {jar.version} that was fetched is not the one this version of"
                f" Waymark was tested with (its sha256 differs from {program.lock.name}), so it is not used."
                f" A proxy or mirror may have changed it: fetch from another network, or {program.otherwise}."
            )
        place = places[jar]
        place.parent.mkdir(parents=True, exist_ok=True)
        arrived.replace(place)  # another run that fetches the same jar puts the same bytes there
        with counting:
            brought += 1
            say(f"Fetching {program.name}, this once: {brought} of {len(missing)} jars")

    say(f"Fetching {program.name}, this once: {len(missing)} jars, about {program.fetched_mb} MB in all")
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        coming = [pool.submit(bring_one, jar) for jar in missing]
        try:
            for one in coming:
                one.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def is_right(place: Path, jar: Jar) -> bool:
    try:
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def at_home(jar: Jar, incoming: Path) -> Path | None:
    """A copy of the jar from the user's own Maven directory, if a right one lies there."""
    theirs = Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository") / jar.path
    with contextlib.suppress(OSError):
        if is_right(theirs, jar):
            mine = incoming / jar.path.name
            shutil.copyfile(theirs, mine)
            return mine
    return None


def fetcher(program: Program) -> Callable[[Jar, Path], Path]:
    """Fetch with jgo, from Maven Central and what the user's jgo settings name."""

    def fetch(jar: Jar, incoming: Path) -> Path:
        import requests

        def get() -> Path:
            context = maven(incoming)
            component = context.project(jar.group, jar.artifact).at_version(jar.version)
            return Path(component.artifact(classifier=jar.classifier).resolve())

        try:
            try:
                return get()
            except requests.exceptions.SSLError:
                with system_certificates():
                    return get()
        except (requests.RequestException, RuntimeError) as error:
            raise RuntimeTrouble(
                f"The jars of {program.name} could not be fetched ({jar.artifact} {jar.version}:"
                f" {type(error).__name__}). They come from Maven Central, once. Check the network (a proxy"
                " is taken from HTTPS_PROXY, its certificate from REQUESTS_CA_BUNDLE) and start again: what"
                f" has come is kept. Or {program.otherwise}."
            ) from error

    return fetch


CERTIFICATES = "REQUESTS_CA_BUNDLE"
_certificates_in_use = threading.Lock()


@contextlib.contextmanager
def system_certificates() -> Iterator[None]:
    """Trust whom the machine trusts, for as long as the block lasts. jgo's HTTP client trusts a list of
    its own, on which the certificate of an organisation's proxy does not stand."""
    found = ssl.get_default_verify_paths().cafile
    with _certificates_in_use:
        if found is None or CERTIFICATES in os.environ:
            yield
            return
        os.environ[CERTIFICATES] = found
        try:
            yield
        finally:
            del os.environ[CERTIFICATES]


def maven(directory: Path) -> MavenContext:
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    remote = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    return MavenContext(repo_cache=directory, remote_repos=remote, timeout=FETCH_TIMEOUT_S)
