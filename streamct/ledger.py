"""What is done already, told by files alone: parts, what was noted of them, and records of finished outputs.

Everything is named by a digest of all that decides the result (`digest_of`), so a change of input, reference, settings
or version finds nothing to reuse. In the work folder lie

    <output>-<digest>.part<ending>  pictures that are encoded and checked: a whole output, or one span of it
    <output>-<digest>.part.json     its length and SHA-256, and what its job reported; without it a part counts for
                                    nothing
    <output>.lock                   while a run works on an output
    <output>-<digest>.done          what became of an output: its name, length, time and SHA-256, and the report

<output> is a digest of where the output lies, seen from the work folder: it tells the parts that other settings left,
and outputs of one name in several folders.
Each is written under a temporary name, synced and renamed. An output is recorded before it gets its name and its part
is what gets renamed: whenever a run is killed, the next one finds either the part or the output.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from streamct.hold import held
from streamct.media.files import beside, check_room, fingerprint, sweep, sync_folder, writing

FORMAT = 1
"""Of digests, parts and records; another one reuses nothing."""
FOLDER = ".streamct"
"""Of the work folder in the output folder."""
_LENGTH, _SHORT = 32, 16  # hexadecimal digits: 128 and 64 bits
_PART = re.compile(rf"([0-9a-f]{{{_SHORT}}})-[0-9a-f]{{{_LENGTH}}}\.part\.")
_NAMED = re.compile(rf"\.?(?:[0-9a-f]{{{_SHORT}}}-)?[0-9a-f]{{{_LENGTH}}}\.part\.[\w.-]*\w")
_LIBRARIES = ("streamct", "av", "numpy", "numba", "pyvips")


def digest_of(facts: Mapping[str, Any]) -> str:
    """SHA-256 of facts as JSON in one spelling, shortened. facts: whatever JSON holds, and paths."""
    text = json.dumps({"format": FORMAT, **facts}, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def span_digest(whole: str, start: int, stop: int) -> str:
    """The digest of the part of an output with the frames `[start, stop)`."""
    return digest_of({"whole": whole, "span": [start, stop]})


def input_identity(path: Path) -> dict[str, Any]:
    """What tells a large input from any other without reading it: length, time of change, hash of both its ends.

    Raises:
        OSError: it can't be read.
    """
    stat = path.stat()
    return {"size": stat.st_size, "mtime": stat.st_mtime_ns, "ends": fingerprint(path)}


def content(path: Path | None) -> str | None:
    """SHA-256 of all of a file, or of all files in a folder with their names; None for None.

    A file that was read before is not read again while its length and time stay.

    Raises:
        OSError: it can't be read.
    """
    if path is None:
        return None
    if path.is_dir():
        whole = hashlib.sha256()
        for entry in sorted(p for p in path.rglob("*") if p.is_file()):
            whole.update(f"{entry.relative_to(path)}\0{content(entry)}\0".encode())
        return whole.hexdigest()
    stat = path.stat()
    return _content(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _content(path: Path, size: int, mtime: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions(network: bool) -> dict[str, str]:
    """Of what decides pixels and bytes. network: whether one segments."""
    names = (*_LIBRARIES, "torch", "torchvision") if network else _LIBRARIES
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    if name == "streamct":
        from streamct import __version__

        return __version__
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a file that was written: a part or an output.

    name: of an output, relative to the output folder; "" of a part. size: bytes. mtime: ns. sha256: of its bytes.
    facts: what its job reported, as JSON has it.
    """

    name: str
    size: int
    mtime: int
    sha256: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The work folder. Small, and may be sent to any worker that sees the folder.

    output: which output's parts these are; see `of`.
    """

    folder: Path
    output: str = ""

    def of(self, target: Path) -> Ledger:
        """The same for one output, which `target` is to be: its parts are apart from all others'."""
        away = os.path.relpath(os.path.abspath(target), os.path.abspath(self.folder))
        return replace(self, output=hashlib.sha256(os.fsencode(away)).hexdigest()[:_SHORT])

    @contextmanager
    def held(self, target: Path) -> Iterator[None]:
        """Keep all other runs from this output, `target`, while the block runs.

        Raises:
            OutputError: another run works on it.
        """
        with held(self.folder / f"{self.output}.lock", target):
            yield

    def parts(self) -> dict[str, list[Path]]:
        """What runs that did not end have left, by the outputs it was for; see `output`."""
        found: dict[str, list[Path]] = {}
        for path in self.folder.iterdir():
            if (match := _PART.match(path.name)) is not None:
                found.setdefault(match[1], []).append(path)
        return found

    def open(self) -> None:
        """Make the folder and remove temporary files that killed runs left in it.

        Raises:
            OutputError: it can't be made or written to.
        """
        check_room(self.folder, "Check its permissions and space, or see --work-dir.")
        sweep(self.folder)

    def part(self, digest: str, ending: str) -> Path:
        """Where a part lies or will. ending: with its dot."""
        return self._file(f"{digest}.part{ending}")

    def _file(self, name: str) -> Path:
        return self.folder / (f"{self.output}-{name}" if self.output else name)

    def keep(self, digest: str, ending: str, facts: Mapping[str, Any]) -> Record:
        """Note of a part that has just been written that it is whole, and what was reported of it."""
        path = self.part(digest, ending)
        stat = path.stat()
        record = Record("", stat.st_size, stat.st_mtime_ns, sha256_of(path), dict(facts))
        _write(self.part(digest, ".json"), record)
        return record

    def kept(self, digest: str, ending: str) -> Record | None:
        """What was noted of a part that is still as it was then; None where there is none, or another than that."""
        record = _read(self.part(digest, ".json"))
        path = self.part(digest, ending)
        return record if record is not None and _is(path, record, by_time=False) else None

    def drop(self, digest: str, ending: str) -> None:
        """Remove a part and its note."""
        self.part(digest, ending).unlink(missing_ok=True)
        self.part(digest, ".json").unlink(missing_ok=True)

    def done(self, digest: str, root: Path) -> Record | None:
        """The record of this output, if it lies under `root` as it was written; None if there is none or it differs.

        Where length and time are as recorded that is enough, else all of it counts: copies keep what they hold.
        """
        record = _read(self._file(f"{digest}.done"))
        return record if record is not None and _is(root / record.name, record, by_time=True) else None

    def moved(self, digest: str, root: Path) -> Record | None:
        """The same by the record of any output of this digest, wherever that lay: folders are moved and copied."""
        for path in sorted(self.folder.glob(f"*{digest}.done")):
            record = _read(path)
            if record is not None and _is(root / record.name, record, by_time=True):
                return record
        return None

    def wrote(self, root: Path, name: Path) -> bool:
        """Whether `root / name` lies there as any record has it: of another input, reference, settings or version."""
        try:
            changed = self.folder.stat().st_mtime_ns
        except OSError:
            return False
        records = _by_name(self.folder, changed).get(str(name), ())
        return any(_is(root / name, record, by_time=True) for record in records)

    def place(self, digest: str, ending: str, root: Path, name: str) -> Record:
        """Give a part that was kept its name as an output, `root / name`, and record it. What was there is replaced.
        Where that fails, what was recorded before stays.

        Raises:
            OutputError: the folder can't be made, there is no space, or the part is gone.
        """
        part, target, recorded = self.part(digest, ending), root / name, self._file(f"{digest}.done")
        with writing(target):
            noted = _read(self.part(digest, ".json"))
            if noted is None:
                raise FileNotFoundError(errno.ENOENT, "its part has gone", str(part))
            target.parent.mkdir(parents=True, exist_ok=True)
            stat = part.stat()
            record = Record(name, stat.st_size, stat.st_mtime_ns, noted.sha256, noted.facts)
            before = _read(recorded)
            _write(recorded, record)
            try:
                _rename(part, target)
            except OSError:
                with suppress(OSError):
                    recorded.unlink() if before is None else _write(recorded, before)
                raise
            sync_folder(target.parent)
        self.drop(digest, ending)
        return record


@lru_cache(maxsize=2)
def _by_name(folder: Path, changed: int) -> dict[str, list[Record]]:
    """All records of outputs, by what these are called. changed: when the folder was, ns."""
    found: dict[str, list[Record]] = {}
    for path in folder.glob("*.done"):
        if (record := _read(path)) is not None:
            found.setdefault(record.name, []).append(record)
    return found


def in_terms_of(target: Path, message: str, folder: Path) -> str:
    """A message about parts in the work folder, as one about the output that they become."""
    message = re.sub(rf"{re.escape(str(folder))}[/\\]{_NAMED.pattern}", lambda _: str(target), message)
    return _NAMED.sub(lambda _: target.name, message)


def sha256_of(path: Path) -> str:
    """Of all of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is(path: Path, record: Record, by_time: bool) -> bool:
    """Whether a file holds what was recorded. by_time: an unchanged time of change is proof enough."""
    try:
        stat = path.stat()
        if stat.st_size != record.size:
            return False
        if by_time and stat.st_mtime_ns == record.mtime:
            return True
        return sha256_of(path) == record.sha256
    except OSError:
        return False


def _write(path: Path, record: Record) -> None:
    temporary = beside(path)
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(_plain(record), file, indent=1, default=str)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(record: Record) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": record.name,
        "size": record.size,
        "mtime": record.mtime,
        "sha256": record.sha256,
        "facts": record.facts,
    }


def _read(path: Path) -> Record | None:
    """A record; None where there is none that can be read: then the work is simply done again."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            return None
        return Record(**found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _rename(part: Path, target: Path) -> None:
    try:
        os.replace(part, target)
    except OSError as cause:
        if cause.errno != errno.EXDEV:
            raise
        _copy(part, target)


def _copy(part: Path, target: Path) -> None:
    """Across file systems: copied, synced and renamed, the times kept."""
    temporary = beside(target)
    try:
        shutil.copyfile(part, temporary)
        shutil.copystat(part, temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
