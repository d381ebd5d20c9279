"""What holds the shape of the code together: who may import whom, and what domain modules may touch."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "enrichment", "triage", "delivery", "console")
SAME_FILES = ("__init__.py", "main.py", "settings.py", "inbound.py", "handlers.py", "store.py")
PURE_SHARED = {
    "shared.vocabulary",
    "shared.contracts",
    "shared.privacy",
    "shared.errors",
    "shared.areas",
    "shared.canonical",
    "shared.small_numbers",
}
# What reaches outside: a domain module may import none of it, however deep the name.
IO_MODULES = {
    "aiohttp", "aiokafka", "asyncio", "asyncpg", "fastapi", "http", "httpx", "logging", "multiprocessing", "os",
    "pathlib", "requests", "shutil", "smtplib", "socket", "sqlalchemy", "ssl", "starlette", "structlog",
    "subprocess", "sys", "tempfile", "threading", "urllib", "uvicorn",
}  # fmt: skip


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join((*package[: len(package) - node.level], *filter(None, [module])))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def domain_modules() -> list[Path]:
    return [path for path in sources("services") if "domain" in path.relative_to(ROOT).with_suffix("").parts]


def test_no_service_imports_another() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for service in SERVICES
        for path in sources(f"services/{service}")
        for name in imports_of(path)
        if re.match(r"services\.\w+", name) and not re.match(rf"services\.{service}(\.|$)", name)
    ]
    assert wrong == []


def test_shared_imports_no_service_and_no_command() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("shared")
        for name in imports_of(path)
        if name.startswith(("services", "waymark"))
    ]
    assert wrong == []


@pytest.mark.parametrize("path", domain_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_domain_modules_import_no_io(path: Path) -> None:
    for name in imports_of(path):
        assert name.split(".")[0] not in IO_MODULES, f"{path.name} imports {name}"
        if name.startswith("shared."):
            assert any(name == pure or name.startswith(f"{pure}.") for pure in PURE_SHARED), name


def test_domain_modules_read_no_clock_and_open_no_file() -> None:
    reaching = re.compile(r"\b(datetime\.now|date\.today|time\.time|open\(|uuid4|random\.)")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in domain_modules()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if reaching.search(line) and not line.lstrip().startswith("#")
    ]
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_files_and_a_domain(service: str) -> None:
    folder = ROOT / "services" / service
    missing = [name for name in SAME_FILES if not (folder / name).exists()]
    assert missing == []
    assert (folder / "domain.py").exists() or (folder / "domain").is_dir()


def test_only_settings_read_the_environment() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}"
        for path in sources("services")
        if path.name not in ("settings.py", "commands.py")
        and re.search(r"os\.environ|os\.getenv", path.read_text())
    ]
    assert wrong == []


def test_no_file_of_ours_has_an_address_of_a_registry_or_a_path_of_one_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    hosts = "|".join(["py" + "pi.org", "files.python" + "hosted", "repo1?.maven", "registry.npm" + "js"])
    wrong = []
    for name in tracked.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".png", ".ico", ".woff2") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if re.search(hosts, text):
            wrong.append(f"{name}: an address of a registry")
        if name.endswith((".py", ".yaml", ".yml", ".toml", ".sh")) and re.search(
            r"[\"' =](/work/|/root/)", text
        ):
            wrong.append(f"{name}: a path of one machine")
    assert wrong == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-train.lock"])
def test_a_lock_has_a_hash_for_every_requirement_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pinned = re.findall(r"^[A-Za-z0-9][\w.\[\]-]*==", text, re.M)
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    assert pinned
    assert "://" not in text
    assert all("--hash=sha256:" in block for block in blocks)
