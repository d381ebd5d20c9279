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
    rules: list[Rule] = []
    for service in SERVICES:
        user = service_user(service)
        written = [topic for topic in TOPICS if topic.producer in (service, "any")]
        read = [topic for topic in TOPICS if service in topic.consumers]
        rules += [
            Rule(user, ("Write", "Describe", "Create"), "topic", lane)
            for topic in written
            for lane in topic.lanes
        ]
        rules += [Rule(user, ("Read", "Describe"), "topic", lane) for topic in read for lane in topic.lanes]
        # Each service makes the topics of the table that are missing when it starts.
        made = {lane for topic in written for lane in topic.lanes}
        rules += [
            Rule(user, ("Create", "Describe"), "topic", lane)
            for topic in TOPICS
            for lane in topic.lanes
            if lane not in made
        ]
        rules.append(Rule(user, ("Read",), "group", service, prefixed=True))
    rules.append(
        Rule(
            service_user("delivery"), ("Write", "Describe", "Create"), "topic", "waymark.routed.", prefixed=True
        )
    )
    for recipient in sorted(recipients, key=lambda one: one.id):
        if any(channel.kind == "topic" for channel in recipient.channels):
            rules += [
                Rule(recipient.id, ("Read", "Describe"), "topic", routed_topic(recipient.id)),
                Rule(recipient.id, ("Read",), "group", recipient.id),
                # Ids have no dot, so no other recipient's group begins like this.
                Rule(recipient.id, ("Read",), "group", f"{recipient.id}.", prefixed=True),
            ]
    return rules
