"""The broker runs on exactly the jars that the lock names, byte for byte."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from deploy.local import RuntimeTrouble
from deploy.local.jars import KAFKA, ZIPKIN, Jar, prepare_jars, read_lock

CONTENT = b"the bytes of a jar"


def a_jar(content: bytes = CONTENT, artifact: str = "lantern") -> Jar:
    return Jar("org.example", artifact, "1.0", hashlib.sha256(content).hexdigest())


class Source:
    """Stands for the network: hands out `content` and counts."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.asked: list[str] = []

    def __call__(self, jar: Jar, directory: Path) -> Path:
        self.asked.append(jar.artifact)
        arrived = directory / jar.path.name
        arrived.write_bytes(self.content)
        return arrived


@pytest.fixture(autouse=True)
def _no_maven_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))


def test_the_lock_names_every_jar_with_its_digest_and_no_address() -> None:
    jars = read_lock()
    assert {"kafka_2.13", "kafka-clients", "kafka-server", "scala-library"} <= {jar.artifact for jar in jars}
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert len({(jar.group, jar.artifact) for jar in jars}) == len(jars)
    assert "://" not in KAFKA.lock.read_text()


def test_zipkin_is_one_jar_that_needs_no_other() -> None:
    [jar] = read_lock(ZIPKIN.lock)
    assert jar.path.name == f"zipkin-server-{jar.version}-exec.jar"
    assert re.fullmatch(r"[0-9a-f]{64}", jar.sha256)
    assert "://" not in ZIPKIN.lock.read_text()


def test_jars_are_fetched_once_and_then_taken_from_the_cache(tmp_path: Path) -> None:
    source, said = Source(), list[str]()
    jars = [a_jar(), a_jar(artifact="beacon")]
    paths = prepare_jars(said.append, jars=jars, cache=tmp_path / "cache", fetch=source)
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT]
    assert said[-1] == "Fetching Apache Kafka, this once: 2 of 2 jars"
    said.clear()
    assert prepare_jars(said.append, jars=jars, cache=tmp_path / "cache", fetch=source) == paths
    assert sorted(source.asked) == ["beacon", "lantern"]
    assert said == []


def test_a_jar_that_is_not_the_one_of_the_lock_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RuntimeTrouble, match=r"lantern 1.0 .* sha256 differs"):
        prepare_jars(jars=[a_jar()], cache=tmp_path / "cache", fetch=Source(b"something else"))
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_a_jar_that_was_damaged_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    (path,) = prepare_jars(jars=[a_jar()], cache=tmp_path / "cache", fetch=Source())
    path.write_bytes(CONTENT[:5])
    assert prepare_jars(jars=[a_jar()], cache=tmp_path / "cache", fetch=Source()) == [path]
    assert path.read_bytes() == CONTENT


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    missing = a_jar(b"never to be had", artifact="beacon")
    source = Source()
    with pytest.raises(RuntimeTrouble):
        prepare_jars(jars=[a_jar(), missing], cache=tmp_path / "cache", fetch=source)
    prepare_jars(jars=[a_jar()], cache=tmp_path / "cache", fetch=source)
    assert source.asked.count("lantern") == 1


def test_a_jar_in_the_users_maven_directory_is_used_only_if_it_is_the_right_one(tmp_path: Path) -> None:
    theirs = tmp_path / "m2" / a_jar().path
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"an odd build")
    source = Source()
    prepare_jars(jars=[a_jar()], cache=tmp_path / "one", fetch=source)
    assert source.asked == ["lantern"]
    theirs.write_bytes(CONTENT)
    prepare_jars(jars=[a_jar()], cache=tmp_path / "two", fetch=source)
    assert source.asked == ["lantern"]
    assert theirs.read_bytes() == CONTENT


def test_without_a_network_the_sentence_says_where_jars_come_from_and_what_else_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens on the discard port
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(RuntimeTrouble, match=r"could not be fetched .*Maven Central.*WAYMARK_KAFKA"):
        prepare_jars(jars=[a_jar()], cache=tmp_path / "cache")
