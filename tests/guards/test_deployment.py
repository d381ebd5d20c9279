"""docker-compose.yml: valid by the compose specification, and everything it names exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from alembic.script import ScriptDirectory
from compose_spec import PyCompose

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SERVICES = ("intake", "enrichment", "triage", "delivery", "console")


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text()))


def test_it_is_valid_by_the_compose_specification() -> None:
    filled = re.sub(r"\$\{(\w+)(?::[-?][^}]*)?\}", "8000", COMPOSE.read_text())
    merged = yaml.safe_dump(yaml.safe_load(filled), sort_keys=False)
    spec = PyCompose.from_yaml(merged)
    assert spec.services is not None
    beside = {"kafka", "postgres", "migrate", "reconcile", "collector", "jaeger", "prometheus", "grafana"}
    assert set(SERVICES) | beside == set(spec.services)


def test_a_wrong_key_would_be_noticed() -> None:
    with pytest.raises(Exception, match=r"nonsense|unknown"):
        PyCompose.from_yaml("services: {intake: {image: x, nonsense: true}}")


def test_every_variable_it_asks_for_stands_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    given = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.M))
    assert asked == given


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_it_gives_is_one_that_the_service_reads(service: str) -> None:
    settings = importlib.import_module(f"services.{service}.settings").Settings
    read = {f"WAYMARK_{name.upper()}" for name in settings.model_fields} | {"OTEL_EXPORTER_OTLP_ENDPOINT"}
    given = set(compose()["services"][service]["environment"])
    assert given <= read
    required = {
        f"WAYMARK_{name.upper()}" for name, field in settings.model_fields.items() if field.is_required()
    }
    assert required <= given


def test_every_path_it_mounts_or_builds_from_exists() -> None:
    document = compose()
    for service in document["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                assert source in document["volumes"]
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_prometheus_asks_every_service_that_has_metrics() -> None:
    asked = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in asked["scrape_configs"]}
    assert jobs["waymark"] == [*(f"{name}:8000" for name in SERVICES), "reconcile:9464"]
    assert "9464" in compose()["services"]["reconcile"]["command"]


def test_the_services_send_their_spans_where_the_collector_takes_them() -> None:
    collector = yaml.safe_load((ROOT / "deploy" / "collector.yaml").read_text())
    endpoint = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    given = compose()["services"]["intake"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert given == f"${{OTEL_EXPORTER_OTLP_ENDPOINT:-http://collector:{endpoint.rsplit(':')[-1]}}}"
    used = collector["service"]["pipelines"]["traces"]
    for kind in ("receivers", "processors", "exporters"):
        assert set(used[kind]) == set(collector[kind])


def test_every_path_that_the_image_copies_exists() -> None:
    for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY "):
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name


def test_every_published_port_leads_to_the_port_the_service_listens_on() -> None:
    for name in SERVICES:
        service = compose()["services"][name]
        for port in service["ports"]:
            assert port.rsplit(":", 1)[1] == service["environment"]["WAYMARK_PORT"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_of_a_service_follow_one_another(service: str) -> None:
    """Two that were written side by side after the same third would stop every start."""
    folder = ROOT / "deploy" / "migrations"
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder / service)])
    assert len(scripts.get_heads()) == 1
