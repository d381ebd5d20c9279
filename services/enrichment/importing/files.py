"""A council's register as files, entry by entry: a folder of CSV files, JSON lines, or one JSON document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import orjson

from services.enrichment.importing.columns import TABLES, BadRow, Row, check_header, row_of
from services.enrichment.importing.lines import Raw, cells_of, lines_of, rows_of
from services.enrichment.records import is_id

LISTS: Final = ("people", "relationships", "involvement", "removed")
"""In this order they are sent: whoever is related or known of must be there first."""

KINDS: Final = {
    "person": "people", "relationship": "relationships", "involvement": "involvement", "removed": "removed"
}  # fmt: skip
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_LINE_SUFFIXES: Final = (".jsonl", ".ndjson")
_SUBJECT: Final = {"people": "id", "involvement": "child"}


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of one of the lists, and where it stands: in JSON lines and CSV the line, else the place in
    its list, from 1. `read_to`: how far the reading is (bytes)."""

    list: str
    file: str
    number: int
    read_to: int
    entry: Any


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry that cannot be sent. `about`: the id of the person, where it can be told."""

    list: str
    file: str
    number: int
    because: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be imported. `digest`: of all its files; `size`: bytes read over all passes; `head`: what
    a document says of itself (source, as_of, whole)."""

    path: Path
    files: dict[str, Path]
    shape: str
    digest: str
    size: int
    written_at: datetime
    head: dict[str, Any] = field(default_factory=dict)

    def entries(self) -> Iterator[Line | LeftOut]:
        """Every entry, the lists one after the other; no more than a line is held. Raises OSError, and
        ValueError where a file's columns are wrong. A second entry about a person is left out."""
        for name in LISTS:
            once = _Once(name)
            for one in self._read(name):
                yield once.judge(one)

    def _read(self, name: str) -> Iterator[Line | LeftOut]:
        if self.shape == "csv":
            return _rows(name, self.files[name]) if name in self.files else iter(())
        return _json_lines(name, self.path) if self.shape == "lines" else _document(name, self.path)


class _Once:
    """Lets one entry per person through; eight bytes are kept of each."""

    def __init__(self, name: str) -> None:
        self._subject = _SUBJECT.get(name)
        self._seen: set[bytes] = set()

    def judge(self, one: Line | LeftOut) -> Line | LeftOut:
        if self._subject is None or isinstance(one, LeftOut) or not isinstance(one.entry, dict):
            return one
        about = one.entry.get(self._subject)
        if not isinstance(about, str):
            return one
        short = hashlib.blake2b(about.encode(errors="surrogatepass"), digest_size=8).digest()
        if short in self._seen:
            because = f"the {self._subject} stands further up already"
            return LeftOut(one.list, one.file, one.number, because, about if is_id(about) else None)
        self._seen.add(short)
        return one


def open_source(path: Path) -> Source:
    """Recognise what is at `path` and check the columns. Raises ValueError with what is wrong, OSError."""
    if path.is_dir() or path.suffix.casefold() == ".csv":
        files = _csv_files(path)
        for name, file in files.items():
            _must_have_text(file)
            _header(name, file)
        return _source(path, files, "csv")
    _must_have_text(path)
    files = {"": path}
    with path.open("rb") as opened:
        first = next(lines_of(opened), None)
    said = None if first is None else _parse(first.said)
    if path.suffix.casefold() in _LINE_SUFFIXES or (isinstance(said, dict) and "kind" in said):
        if isinstance(said, dict) and "kind" not in said and set(LISTS) & said.keys():
            raise ValueError(f"{path} holds whole documents: send each as a .json file of its own.")
        return _source(path, files, "lines")
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path} is neither JSON nor JSON lines (line {error.lineno}).") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path} is not one JSON object: waymark.records/1.")
    for name in LISTS:
        if not isinstance(document.get(name), list | None):
            raise ValueError(f"{path}: {name} is not a list.")
    return _source(path, files, "document", {k: said for k, said in document.items() if k not in LISTS})


def _source(path: Path, files: dict[str, Path], shape: str, head: dict[str, Any] | None = None) -> Source:
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        with file.open("rb") as opened:
            digest.update(f"{name}:{hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
    stats = [file.stat() for file in files.values()]
    passes = len(LISTS) if shape == "lines" else 1
    return Source(
        path,
        files,
        shape,
        digest.hexdigest(),
        passes * sum(stat.st_size for stat in stats),
        datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC),
        head or {},
    )


def _csv_files(path: Path) -> dict[str, Path]:
    found = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    for file in found:
        if file.stem not in TABLES:
            close = get_close_matches(file.stem, TABLES, n=1)
            meant = f" Did you mean {close[0]}.csv?" if close else ""
            raise ValueError(f"{file} is none of {', '.join(f'{name}.csv' for name in TABLES)}.{meant}")
    if not found:
        raise ValueError(f"{path} has none of {', '.join(f'{name}.csv' for name in TABLES)}.")
    return {file.stem: file for file in found}


def _must_have_text(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(2)
        if start in _UTF16:
            raise ValueError(f"{path} is in UTF-16: save it as UTF-8.")
        file.seek(0)
        if next(lines_of(file), None) is None:
            raise ValueError(f"{path} is empty.")


def _header(name: str, path: Path) -> list[str]:
    with path.open("rb") as file:
        header = next(rows_of(file))
    if header.fault is not None:
        raise ValueError(f"{path}, line {header.number}: {header.fault}.")
    return check_header(str(path), TABLES[name], cells_of(header))


def _rows(name: str, path: Path) -> Iterator[Line | LeftOut]:
    table, columns = TABLES[name], _header(name, path)
    held: list[tuple[Raw, Row]] = []

    def entry() -> Line | LeftOut:
        raw, row = held[0]
        try:
            made = table.entry_of([row for _, row in held])
        except BadRow as bad:
            said = row[_SUBJECT[name]] if name in _SUBJECT else None
            return LeftOut(name, path.name, raw.number, str(bad), said if is_id(said) else None)
        return Line(name, path.name, raw.number, held[-1][0].read_to, made["id"] if name == "removed" else made)

    with path.open("rb") as file:
        raws = rows_of(file)
        next(raws)
        for raw in raws:
            try:
                if raw.fault is not None:
                    raise BadRow(raw.fault)
                row = row_of(columns, cells_of(raw), table)
            except BadRow as bad:
                yield LeftOut(name, path.name, raw.number, str(bad), _about_row(name, columns, raw))
                continue
            if held and (table.subject is None or row[table.subject] != held[0][1][table.subject]):
                yield entry()
                held = []
            held.append((raw, row))
        if held:
            yield entry()


def _about_row(name: str, columns: list[str], raw: Raw) -> str | None:
    """Whom a row is about that cannot be used; only where nothing of the id hangs on the encoding."""
    if name not in _SUBJECT:
        return None
    cells = cells_of(raw)
    said = cells[columns.index(_SUBJECT[name])].strip() if len(cells) == len(columns) else ""
    return said if said.isascii() and is_id(said) else None


def _json_lines(name: str, path: Path) -> Iterator[Line | LeftOut]:
    before = LISTS.index(name) * path.stat().st_size
    with path.open("rb") as file:
        for raw in lines_of(file):
            said = _parse(raw.text().encode()) if raw.said else None
            kind = said.pop("kind", None) if isinstance(said, dict) else None
            of = KINDS.get(kind) if isinstance(kind, str) else None
            if (of or "people") != name:
                continue
            because = raw.fault or (
                "not JSON" if said is None
                else "not an object" if not isinstance(said, dict)
                else "kind is missing" if kind is None
                else f"kind is none of {', '.join(KINDS)}" if of is None
                else None
            )  # fmt: skip
            about = said.get(_SUBJECT.get(of or "people", "")) if isinstance(said, dict) else None
            if because is not None or not isinstance(said, dict):
                known = about if isinstance(about, str) and about.isascii() and is_id(about) else None
                yield LeftOut(of or "line", path.name, raw.number, because or "not an object", known)
                continue
            if of == "relationships" and "relationship" in said:
                said["kind"] = said.pop("relationship")
            entry = said.get("id") if of == "removed" else said
            yield Line(name, path.name, raw.number, before + raw.read_to, entry)


def _document(name: str, path: Path) -> Iterator[Line | LeftOut]:
    listed = orjson.loads(path.read_bytes()).get(name) or []
    done = LISTS.index(name) * path.stat().st_size // len(LISTS)
    for number, entry in enumerate(listed, 1):
        yield Line(name, path.name, number, done, entry)


def _parse(said: bytes) -> Any:
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        return None
