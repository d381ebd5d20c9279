"""Two councils on one Kafka with its authorizer on: the access rules that `waymark recipients access-rules`
prints let each read its own topic and nothing else, tried with another client than ours (librdkafka)."""

from __future__ import annotations

import shlex
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from deploy.local.datadir import DataDirectory
from deploy.local.kafka import Kafka, KafkaOptions
from services.delivery.recipients_commands import app
from shared.contracts.topics import DECIDED, TOPICS, routed_topic
from tests.integration.test_delivery import describe_areas

NORTH, SOUTH = "northbury-safety", "southmere-safety"
USERS = (NORTH, SOUTH, "waymark-delivery", "waymark-triage")
OWN = {NORTH: routed_topic(NORTH), SOUTH: routed_topic(SOUTH)}


class SecuredKafka(Kafka):
    """The broker with a second door, which asks for a name and password, and with its authorizer on. Whoever
    comes by the first door, on the loopback address, is the administrator."""

    secured_port = 0

    def _settings(self, data: Path) -> str:
        users = " ".join(f'user_{name}="{name} only for this test"' for name in USERS)
        door = f"SECURED://127.0.0.1:{self.secured_port}"
        lines = []
        for line in super()._settings(data).splitlines():
            if line.startswith(("listeners=", "advertised.listeners=")):
                line += f",{door}"
            if line.startswith("listener.security.protocol.map="):
                line += ",SECURED:SASL_PLAINTEXT"
            lines.append(line)
        lines += [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            "allow.everyone.if.no.acl.found=false",
            "listener.name.secured.sasl.enabled.mechanisms=PLAIN",
            "listener.name.secured.plain.sasl.jaas.config="
            f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};",
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Secured:
    """Both doors of the broker."""

    administrator: str
    door: str

    def client(self, user: str) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.door,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": "PLAIN",
            "sasl.username": user,
            "sasl.password": f"{user} only for this test",
            "log_level": 0,
        }


def printed_rules(folder: Path) -> list[list[str]]:
    """What the command prints for an area with two councils' safety teams, as arguments."""
    describe_areas(folder / "areas")
    (folder / "recipients").mkdir()
    south = (folder / "areas" / "northbury.yaml").read_text()
    (folder / "areas" / "southmere.yaml").write_text(
        south.replace("id: northbury", "id: southmere").replace("northbury-children", "southmere-children")
    )
    described = [
        {"id": name, "role": role, "areas": [name.split("-")[0]], "channels": [{"kind": kind}]}
        for name, role, kind in (
            (NORTH, "community_safety", "topic"),
            (SOUTH, "community_safety", "topic"),
            ("northbury-children", "childrens_services", "inbox"),
            ("southmere-children", "childrens_services", "inbox"),
        )
    ]
    (folder / "recipients" / "both.yaml").write_text(yaml.safe_dump(described))
    asked = ["access-rules", str(folder / "recipients"), "--areas", str(folder / "areas")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    return [shlex.split(line)[3:] for line in result.stdout.splitlines()]


def bindings(arguments: list[str]) -> list[AclBinding]:
    """One printed line as an administrator's client sends it."""
    at = iter(arguments)
    said: dict[str, list[str]] = {}
    for name in at:
        said.setdefault(name, []).append("" if name == "--add" else next(at))
    ((kind, name),) = [(kind, said[f"--{kind}"][0]) for kind in ("topic", "group") if f"--{kind}" in said]
    prefixed = said.get("--resource-pattern-type") == ["prefixed"]
    return [
        AclBinding(
            ResourceType.TOPIC if kind == "topic" else ResourceType.GROUP,
            name,
            ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL,
            said["--allow-principal"][0],
            "*",
            AclOperation[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for operation in said["--operation"]
    ]  # fmt: skip


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A broker of this module's own, with topics, rules and a record on each topic."""
    place = tmp_path_factory.mktemp("secured")
    held = DataDirectory.hold(place / "data")
    broker = SecuredKafka(held.part("kafka"), KafkaOptions(), (held.lock,), lambda _: None, threading.Event())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        broker.secured_port = free.getsockname()[1]
    try:
        broker.prepare()
        broker.start()
        administrator: dict[str, Any] = {"bootstrap.servers": broker.address, "log_level": 0}
        admin = AdminClient(administrator)
        names = [*OWN.values(), *(topic.name for topic in TOPICS)]
        for made in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            made.result(30)
        rules = [one for line in printed_rules(place) for one in bindings(line)]
        for kept in admin.create_acls(rules).values():
            kept.result(30)
        writer = Producer(administrator)
        for name in names:
            writer.produce(name, key=b"northshire/1", value=f"on {name}".encode())
        assert writer.flush(30) == 0
        yield Secured(broker.address, f"127.0.0.1:{broker.secured_port}")
    finally:
        broker.stop()
        held.release()


def read(secured: Secured, user: str, topic: str, group: str | None = None) -> str:
    """The first record that `user` gets from `topic`, or the name of what it is told instead."""
    consumer = Consumer({**secured.client(user), "group.id": group or user, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        for _ in range(60):
            record = consumer.poll(0.5)
            if record is None:
                continue
            error, value = record.error(), record.value()
            if error is not None:
                return str(error.name())
            return (value or b"").decode()
        return "nothing"
    finally:
        consumer.close()


def test_each_council_reads_its_own_topic(secured: Secured) -> None:
    for user in (NORTH, SOUTH):
        assert read(secured, user, OWN[user]) == f"on {OWN[user]}"
        assert read(secured, user, OWN[user], f"{user}.again") == f"on {OWN[user]}"


@pytest.mark.parametrize(("user", "other"), [(NORTH, SOUTH), (SOUTH, NORTH)])
def test_neither_reads_the_others_topic_nor_any_of_ours(secured: Secured, user: str, other: str) -> None:
    for topic in (OWN[other], *(topic.name for topic in TOPICS)):
        assert read(secured, user, topic) == "TOPIC_AUTHORIZATION_FAILED"


def test_neither_sees_that_other_topics_exist(secured: Secured) -> None:
    seen = AdminClient(secured.client(NORTH)).list_topics(timeout=20).topics
    assert set(seen) == {OWN[NORTH]}


def test_neither_takes_part_in_the_others_group(secured: Secured) -> None:
    assert read(secured, NORTH, OWN[NORTH], SOUTH) == "GROUP_AUTHORIZATION_FAILED"
    assert read(secured, NORTH, OWN[NORTH], "delivery") == "GROUP_AUTHORIZATION_FAILED"


def test_a_council_writes_nothing_and_changes_no_rule(secured: Secured) -> None:
    assert written(secured, NORTH, OWN[NORTH]) == "TOPIC_AUTHORIZATION_FAILED"
    admin = AdminClient(secured.client(NORTH))
    rule = AclBinding(
        ResourceType.TOPIC, OWN[SOUTH], ResourcePatternType.LITERAL, f"User:{NORTH}", "*",
        AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    with pytest.raises(KafkaException, match="CLUSTER_AUTHORIZATION_FAILED"):
        next(iter(admin.create_acls([rule]).values())).result(30)
    with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED"):
        next(iter(admin.delete_topics([OWN[NORTH]]).values())).result(30)


def test_somebody_with_a_wrong_password_gets_in_nowhere(secured: Secured) -> None:
    wrong = {**secured.client(NORTH), "sasl.password": "guessed"}
    with pytest.raises(KafkaException):
        AdminClient(wrong).list_topics(timeout=5)


def written(secured: Secured, user: str, topic: str) -> str:
    told: list[str] = []
    producer = Producer({**secured.client(user), "message.timeout.ms": 10_000})
    producer.produce(
        topic, b"x", on_delivery=lambda error, _: told.append(error.name() if error else "written")
    )
    producer.flush(20)
    return told[0]


def test_each_service_writes_what_it_owns_and_delivery_alone_to_the_councils(secured: Secured) -> None:
    assert written(secured, "waymark-triage", DECIDED.name) == "written"
    assert written(secured, "waymark-delivery", DECIDED.name) == "TOPIC_AUTHORIZATION_FAILED"
    assert written(secured, "waymark-delivery", OWN[NORTH]) == "written"
    assert written(secured, "waymark-triage", OWN[NORTH]) == "TOPIC_AUTHORIZATION_FAILED"
    assert read(secured, "waymark-delivery", DECIDED.name, "delivery") == f"on {DECIDED.name}"
    assert read(secured, "waymark-triage", OWN[NORTH], "triage") == "TOPIC_AUTHORIZATION_FAILED"
