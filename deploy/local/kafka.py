"""One real Apache Kafka 4 broker (KRaft, broker and controller in one process) on the loopback address.

Set for one node on two cores: small heap, few threads, no wait when a group forms, and a short session
with itself, so that after a `kill -9` it serves again within seconds and not a quarter of a minute.
Durability is Kafka's own default: a record is acknowledged when it is with the operating system, so it
survives the death of the broker, not that of the machine.

There is no password on the loopback port: whoever has an account on this machine can read the topics.
That is for trying, developing and measuring; a real deployment sets WAYMARK_KAFKA.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import struct
import subprocess
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import ports
from .child import Order, server_environment
from .jars import prepare_jars
from .java import Java, find_java
from .part import Part, Say
from .trouble import RuntimeTrouble, disk_full, explain_os_error, ran_out_of_space

Purpose = Literal["work", "bench"]
TRIES_FOR_A_PORT = 5

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=CLIENTS://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENTS://{host}:{port}
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
# One node: nothing to copy to.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
# After a kill the broker waits for its own earlier session to run out: 9 s by default.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# Two cores.
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
num.recovery.threads.per.data.dir=2
# Small segments: quick recovery, and retention frees space without waiting for a gigabyte.
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
"""

LOGGING = """\
status = warn
name = broker
shutdownHook = disable
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {logs}/broker.log
appender.file.filePattern = {logs}/broker.%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd'T'HH:mm:ss.SSS'Z'}}{{UTC}} %p %m (%c{{1}})%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 2MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


@dataclass(frozen=True)
class KafkaOptions:
    java: str = ""  # a java program or a Java home; empty: found
    port: int | None = None  # None: chosen, and the one of last time again if it is free
    purpose: Purpose = "work"
    heap_mb: int = 384


class Kafka(Part):
    name = "Kafka"
    start_s = 180.0  # only a hang lasts so long; an end is seen at once

    def __init__(
        self, place: Path, options: KafkaOptions, hold: tuple[int, ...], say: Say, stopping: threading.Event
    ) -> None:
        super().__init__(say, stopping)
        self.place = place
        self.options = options
        self.hold = hold
        self.port = 0
        self._controller_port = 0
        self._served = False  # once it has, clients know its port
        self._java: Java | None = None
        self._jars: list[Path] = []

    @property
    def address(self) -> str:
        return f"{ports.HOST}:{self.port}"

    @property
    def logs(self) -> list[Path]:
        return [self.place / "logs" / "broker.log", self.place / "logs" / "java.log"]

    @property
    def settings(self) -> Path:
        return self.place / "server.properties"

    def prepare(self) -> None:
        self._java = find_java(self.options.java)
        self._jars = prepare_jars(self.say)
        try:
            (self.place / "logs").mkdir(exist_ok=True)
            (self.place / "logging.properties").write_text(LOGGING.format(logs=self.place / "logs"))
            self._choose_ports(self._last_ports())
            self._write_settings()
            if not (self.place / "data" / "meta.properties").exists():
                self._format()
        except OSError as error:
            raise explain_os_error(error, f"preparing Kafka's directory {self.place}") from error

    def start(self) -> None:
        for _ in range(TRIES_FOR_A_PORT):
            try:
                self._start_once()
            except PortLost:
                self._replace_lost_port()
            else:
                self._served = True
                return
        raise ports.taken(self.port, "Kafka")

    def _replace_lost_port(self) -> None:
        if not ports.is_free(self.port) and (self.options.port or self._served):
            # Clients know this port, so another one would not help them.
            raise ports.taken(self.port, "Kafka")
        self._choose_ports((self.port, 0))
        self._write_settings()

    def _start_once(self) -> None:
        temporary = self.place / "tmp"  # compression libraries unpack here; a kill leaves them behind
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        order = Order(
            name=self.name,
            command=self._command("kafka.Kafka", str(self.settings)),
            log=self.logs[1],
            grace_s=20.0,
            directory=self.place,
            hold=self.hold,
        )
        self.await_ready(lambda: serves(self.port), order)

    def why_it_ended(self) -> RuntimeTrouble:
        said = self.said()
        if "Address already in use" in said and not (
            ports.is_free(self.port) and ports.is_free(self._controller_port)
        ):
            return PortLost("")
        if ran_out_of_space(said, self.place):
            return disk_full(f"starting Kafka in {self.place}")
        if "OutOfMemoryError" in said or "Could not reserve enough space" in said:
            return RuntimeTrouble(
                f"Kafka stopped because this machine has too little memory for it (it needs about"
                f" {self.options.heap_mb + 150} MB). Stop something else and start again."
            )
        return RuntimeTrouble(
            f"Kafka stopped while it was starting. Its logs say why: {self.logs[0]} and java.log beside it."
            f" If its data are damaged, remove {self.place} and start again (what is on the topics is"
            " lost; the services send again what is in their own tables)."
        )

    def _last_ports(self) -> tuple[int, int]:
        with contextlib.suppress(OSError, ValueError):
            first, second = (self.place / "ports").read_text().split()
            return int(first), int(second)
        return 0, 0

    def _choose_ports(self, last: tuple[int, int]) -> None:
        if self.options.port:
            ports.require_free(self.options.port, "Kafka")
            self.port = self.options.port
        else:
            self.port = last[0] if last[0] and ports.is_free(last[0]) else ports.choose()
        mine = frozenset({self.port})
        second = last[1]
        self._controller_port = second if second and ports.is_free(second) else ports.choose(but=mine)

    def _write_settings(self) -> None:
        (self.place / "ports").write_text(f"{self.port} {self._controller_port}")
        self.settings.write_text(self._settings(self.place / "data"))

    def _settings(self, data: Path) -> str:
        return SETTINGS.format(
            host=ports.HOST, port=self.port, controller_port=self._controller_port, data=data
        )

    def _format(self) -> None:
        """Make the data directory, whole or not at all: in another place first, and then renamed."""
        self.say("Preparing Kafka's data directory, this once")
        unfinished = self.place / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        (self.place / "tmp").mkdir(exist_ok=True)
        settings = self.place / "format.properties"
        settings.write_text(self._settings(unfinished))
        arguments = ["format", "-t", new_cluster_id(), "-c", str(settings)]
        done = subprocess.run(
            self._command("kafka.tools.StorageTool", *arguments),
            capture_output=True,
            text=True,
            cwd=self.place,
            env=server_environment(),
            pass_fds=self.hold,  # held until it ends, even when we are killed
            timeout=self.start_s,
        )
        if done.returncode != 0:
            if ran_out_of_space(done.stderr, self.place):
                raise disk_full(f"preparing Kafka's data under {self.place}")
            reason = done.stderr.strip().splitlines()
            raise RuntimeTrouble(
                f"Kafka's data directory under {self.place} could not be prepared:"
                f" {reason[-1] if reason else f'exit status {done.returncode}'}"
            )
        unfinished.rename(self.place / "data")

    def _command(self, *run: str) -> list[str]:
        if self._java is None:
            raise AssertionError("prepare it first")
        command = [
            str(self._java.program),
            f"-Xmx{self.options.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",  # a broker that limps is worse than one that is restarted
            "-XX:-UsePerfData",  # a memory-mapped file in /tmp, which stalls the broker when the disk is busy
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.place / 'tmp'}",
            f"-Dlog4j2.configurationFile={self.place / 'logging.properties'}",
        ]
        if self.options.purpose == "work":
            command.append("-XX:TieredStopAtLevel=1")
        if self._java.version >= 24:
            command += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
        return [*command, "-cp", ":".join(str(jar) for jar in self._jars), *run]


def new_cluster_id() -> str:
    """A random id as Kafka writes them; one that starts with `-` would be taken for an option."""
    while True:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not cluster.startswith("-"):
            return cluster


class PortLost(RuntimeTrouble):
    """Somebody took the port between its choice and the broker's start."""


# A request for metadata of no topic, in Kafka's binary protocol: key 3, version 1. The answer lists the
# brokers that take part; one that has a port open but is still fenced is not among them.
METADATA = struct.pack(">hhihi", 3, 1, 1, -1, 0)


def serves(port: int, timeout_s: float = 1.0) -> bool:
    """Whether the broker on `port` answers and takes part in its cluster."""
    try:
        with socket.create_connection((ports.HOST, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(METADATA)) + METADATA)
            (size,) = struct.unpack(">i", receive(connection, 4))
            answer = receive(connection, min(size, 65_536))
    except (OSError, EOFError):
        return False
    correlation, brokers = struct.unpack_from(">ii", answer)
    return bool(correlation == 1 and brokers > 0)


def receive(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
