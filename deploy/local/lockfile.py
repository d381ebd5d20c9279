"""Writes the locks of jars, after a change of coordinates: `python -m deploy.local.lockfile`.

Kafka's list is what Apache publishes as the broker's run-time needs (the POM of kafka_2.13 and everything it
names), and a log4j binding so that the broker logs to files. Zipkin is one jar that needs no other.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .jars import KAFKA, ZIPKIN, maven

# The mark ! keeps the log4j parent from choosing versions for Kafka's own dependencies (it asks for an
# older kafka-clients, with which the broker does not start).
KAFKA_COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.1.2",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!",
)
ZIPKIN_COORDINATE = ("io.zipkin", "zipkin-server", "3.5.1", "exec")
OLDEST_JAVA = 17


def write_kafka_lock(lock: Path = KAFKA.lock) -> None:
    """Resolve the coordinates, fetch every jar into a temporary directory and note its digest."""
    from jgo.env import LockFile

    with tempfile.TemporaryDirectory() as directory:
        context = maven(Path(directory))
        asked = [context.create_dependency(coordinate) for coordinate in KAFKA_COORDINATES]
        resolved, needed = context.resolver.resolve(asked)
        named = sorted([*resolved, *needed], key=lambda one: (one.groupId, one.artifactId))
        LockFile.from_resolved_dependencies(named, environment_name="kafka", min_java_version=OLDEST_JAVA).save(
            lock
        )


def write_zipkin_lock(lock: Path = ZIPKIN.lock) -> None:
    """Fetch the one jar into a temporary directory and note its digest."""
    from jgo.env import LockFile
    from jgo.maven import Dependency

    group, name, version, classifier = ZIPKIN_COORDINATE
    with tempfile.TemporaryDirectory() as directory:
        component = maven(Path(directory)).project(group, name).at_version(version)
        jar = Dependency(component.artifact(classifier=classifier))
        LockFile.from_resolved_dependencies(
            [jar], environment_name="zipkin", min_java_version=OLDEST_JAVA
        ).save(lock)


if __name__ == "__main__":
    write_kafka_lock()
    write_zipkin_lock()
