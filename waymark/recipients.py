"""The recipients of deploy/recipients, led to this machine: for the demo and the benchmarks."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

RECIPIENTS: Final = Path(__file__).resolve().parent.parent / "deploy" / "recipients"


def described_in(folder: Path) -> list[dict[str, Any]]:
    """The recipients described in the `*.yaml` of a folder, as they stand there."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yaml")):
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(described, dict):
            described = described.get("recipients", [described])
        found += described
    return found


def write_recipients(
    folder: Path, url_of: Callable[[str], str], *, webhooks_only: bool = False
) -> dict[str, str]:
    """Write the recipients into `folder` with webhooks at `url_of(id)` and fresh secrets in files.

    A recipient without a webhook keeps its inbox or its topic, unless `webhooks_only`. Returns the
    signing secret per recipient that has a webhook.
    """
    (folder / "secrets").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    signing: dict[str, str] = {}
    written = []
    for recipient in described_in(RECIPIENTS):
        kinds = [channel["kind"] for channel in recipient["channels"]]
        if webhooks_only or "webhook" in kinds:
            name = recipient["id"]
            signing[name] = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
            (folder / "secrets" / name).write_text(signing[name], encoding="ascii")
            others = [channel for channel in recipient["channels"] if channel["kind"] != "webhook"]
            webhook = {"kind": "webhook", "url": url_of(name), "secrets": [f"file:secrets/{name}"]}
            recipient = {**recipient, "channels": [webhook] if webhooks_only else [webhook, *others]}
        written.append(recipient)
    (folder / "recipients.yaml").write_text(yaml.safe_dump({"recipients": written}), encoding="utf-8")
    return signing
