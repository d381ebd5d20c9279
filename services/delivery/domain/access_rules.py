"""Who may read and write which Kafka topic: made from the table of topics and the recipients that want one.

Access is granted by topic, so a recipient's own topic is the only one that its user may read: no rule of
any other recipient, and none of a service but delivery's, names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from services.delivery.domain.recipients import Recipient
from shared.contracts.topics import TOPICS, routed_topic

SERVICES: Final = ("intake", "enrichment", "triage", "delivery", "console")

Operation = Literal["Read", "Write", "Describe", "Create"]
Resource = Literal["topic", "group"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that a user may do. `prefixed`: with everything whose name begins with `name`."""

    user: str
    operations: tuple[Operation, ...]
    resource: Resource
    name: str
    prefixed: bool = False

    def arguments(self) -> list[str]:
        """As arguments to Kafka's own `kafka-acls`, without the server."""
        asked = ["--add", "--allow-principal", f"User:{self.user}"]
        for operation in self.operations:
            asked += ["--operation", operation]
        asked += [f"--{self.resource}", self.name]
        return [*asked, "--resource-pattern-type", "prefixed"] if self.prefixed else asked


def service_user(service: str) -> str:
    """The Kafka user of a service."""
    return f"waymark-{service}"


def rules_for(recipients: Iterable[Recipient]) -> list[Rule]:
    """All rules: of the services, and of each recipient that has a topic. Its user is called as it is."""
    may: dict[tuple[str, Resource, str, bool], list[Operation]] = {}

    def allow(user: str, resource: Resource, name: str, *operations: Operation, prefixed: bool = False) -> None:
        known = may.setdefault((user, resource, name, prefixed), [])
        known += [operation for operation in operations if operation not in known]

    for service in SERVICES:
        user = service_user(service)
        for topic in TOPICS:
            for lane in topic.lanes:
                if topic.producer in (service, "any"):
                    allow(user, "topic", lane, "Write")
                if service in topic.consumers:
                    allow(user, "topic", lane, "Read")
                # Each service makes the topics of the table that are missing when it starts.
                allow(user, "topic", lane, "Describe", "Create")
        allow(user, "group", service, "Read", prefixed=True)
    routed = routed_topic("").removesuffix(".v1")
    allow(service_user("delivery"), "topic", routed, "Write", "Describe", "Create", prefixed=True)
    for recipient in sorted(recipients, key=lambda one: one.id):
        if any(channel.kind == "topic" for channel in recipient.channels):
            allow(recipient.id, "topic", routed_topic(recipient.id), "Read", "Describe")
            allow(recipient.id, "group", recipient.id, "Read")
            # Ids have no dot, so no other recipient's group begins like this.
            allow(recipient.id, "group", f"{recipient.id}.", "Read", prefixed=True)
    return [
        Rule(user, tuple(operations), resource, name, prefixed)
        for (user, resource, name, prefixed), operations in may.items()
    ]
