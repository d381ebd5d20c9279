"""One real Zipkin on the loopback address: keeps traces in memory and has the page to search them.

For a machine with nothing installed. What it keeps is gone when it stops; a deployment names a collector of its
own (OTEL_EXPORTER_OTLP_ENDPOINT).
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from pathlib import Path

from . import ports
from .child import Order
from .jars import ZIPKIN, prepare_jars
from .java import Java, find_java
from .part import Part, Say
from .trouble import RuntimeTrouble, explain_os_error

HEAP_MB = 256
SPANS_AT_MOST = 200_000
"""The oldest traces go first; so many spans fit into the heap."""


class Zipkin(Part):
    name = "Zipkin"
    start_s = 180.0

    def __init__(
        self, place: Path, java: str, hold: tuple[int, ...], say: Say, stopping: threading.Event
    ) -> None:
        super().__init__(say, stopping)
        self.place = place
        self.hold = hold
        self.port = 0
        self._configured_java = java
        self._java: Java | None = None
        self._jars: list[Path] = []

    @property
    def address(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    @property
    def logs(self) -> list[Path]:
        return [self.place / "zipkin.log"]

    def prepare(self) -> None:
        self._java = find_java(self._configured_java)
        self._jars = prepare_jars(self.say, ZIPKIN)
        try:
            (self.place / "tmp").mkdir(exist_ok=True)
            self.port = self._port_of_last_time() or ports.choose()
            (self.place / "port").write_text(str(self.port))
        except OSError as error:
            raise explain_os_error(error, f"preparing Zipkin's directory {self.place}") from error

    def start(self) -> None:
        order = Order(
            name=self.name,
            command=self._command(),
            log=self.logs[0],
            directory=self.place,
            hold=self.hold,
        )
        self.await_ready(lambda: serves(self.port), order)

    def why_it_ended(self) -> RuntimeTrouble:
        said = self.said()
        if "Address already in use" in said or "Failed to bind" in said:
            return ports.taken(self.port, self.name)
        if "OutOfMemoryError" in said or "Could not reserve enough space" in said:
            return RuntimeTrouble(
                f"Zipkin stopped because this machine has too little memory for it (it needs about {HEAP_MB}"
                " MB). Stop something else, or start without --traces."
            )
        return RuntimeTrouble(
            f"Zipkin stopped while it was starting. Its log says why: {self.logs[0]}. Without --traces"
            " everything else runs."
        )

    def _port_of_last_time(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            port = int((self.place / "port").read_text())
            return port if ports.is_free(port) else 0
        return 0

    def _command(self) -> list[str]:
        if self._java is None:
            raise AssertionError("prepare it first")
        [jar] = self._jars
        return [
            str(self._java.program),
            f"-Xmx{HEAP_MB}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-XX:TieredStopAtLevel=1",
            f"-Djava.io.tmpdir={self.place / 'tmp'}",
            "-jar",
            str(jar),
            # Without these it listens on every address of the machine.
            f"--armeria.ports[0].ip={ports.HOST}",
            f"--armeria.ports[0].port={self.port}",
            "--armeria.ports[0].protocols[0]=http",
            f"--zipkin.storage.mem.max-spans={SPANS_AT_MOST}",
        ]


def serves(port: int, timeout_s: float = 1.0) -> bool:
    """Whether the Zipkin on `port` says that it is healthy."""
    connection = http.client.HTTPConnection(ports.HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
