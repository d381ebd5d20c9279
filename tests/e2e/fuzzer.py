"""Runs the fuzzer (schemathesis) over a service's published document, with all checks and phases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from waymark.system import ROOT

SECONDS: Final = int(os.environ.get("WAYMARK_FUZZ_S", "20"))
"""How long the fuzzer goes on after its first round; a night's run is one with a larger number."""

SEED: Final = os.environ.get("WAYMARK_FUZZ_SEED", "20261120")


def fuzz(
    url: str, key: str, folder: Path, *options: str, seconds: int = SECONDS, **told: str
) -> subprocess.CompletedProcess[str]:
    """Fuzz what `url` publishes with a caller's key. `told`: more of the environment, for the hooks."""
    config = folder / "schemathesis.toml"
    config.write_text('request-timeout = 30\n[auth.openapi.key]\nbearer = "${WAYMARK_FUZZ_KEY}"\n')
    environment = {
        **os.environ,
        "WAYMARK_FUZZ_KEY": key,
        "SCHEMATHESIS_HOOKS": "tests.e2e.fuzzing",
        "PYTHONPATH": str(ROOT),
        **told,
    }
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    phases = ["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all"]
    bounds = ["--seed", SEED, "--max-time", str(seconds), "--max-examples", "25", "--continue-on-failure"]
    return subprocess.run(
        [*command, f"{url}/openapi.json", *phases, *bounds, "--no-color", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds + 240,
    )
