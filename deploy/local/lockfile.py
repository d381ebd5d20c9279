"""Writes kafka-jars.lock, after a change of COORDINATES: `python -m deploy.local.lockfile`.

The list is what Apache publishes as the broker's run-time needs (the POM of kafka_2.13 and everything it
names), and a log4j binding so that the broker logs to files.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .jars import LOCK, maven

# The mark ! keeps the log4j parent from choosing versions for Kafka's own dependencies (it asks for an
# older kafka-clients, with which the broker does not start).
COORDINATES = ("org.apache.kafka:kafka_2.13:4.1.2", "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!")
OLDEST_JAVA = 17


def write_lock(lock: Path = LOCK) -> None:
    """Resolve COORDINATES, fetch every jar into a temporary directory and note its digest."""
    from jgo.env import LockFile

    with tempfile.TemporaryDirectory() as directory:
        context = maven(Path(directory))
        asked = [context.create_dependency(coordinate) for coordinate in COORDINATES]
        resolved, needed = context.resolver.resolve(asked)
        named = sorted([*resolved, *needed], key=lambda one: (one.groupId, one.artifactId))
        LockFile.from_resolved_dependencies(named, environment_name="kafka", min_java_version=OLDEST_JAVA).save(
            lock
        )


if __name__ == "__main__":
    write_lock()
