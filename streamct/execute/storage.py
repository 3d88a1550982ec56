"""Whether every machine of a cluster has the same files: inputs are compared, outputs are tried.

That a folder is there says little: a machine makes one on its own disk as soon as something is written, and what it
writes is lost to all others. So a token of random bytes lies in each folder of outputs while a run lasts, and every
worker reads it before its first job.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamct.errors import ClusterError, OutputError
from streamct.media.files import HOST

_HINT = (
    "Inputs and outputs have to lie on storage that every machine of the cluster mounts at the same place, such as NFS."
)
_TRIES = 5
_PAUSE = 0.5
"""Seconds between them: a network file system may remember for a moment what was not there."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a worker looks for. inputs: files with their bytes, folders with None. tokens: files in folders of outputs,
    with what they hold."""

    inputs: tuple[tuple[str, int | None], ...] = ()
    tokens: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        """Compare with what is here.

        Raises:
            ClusterError: this machine sees other files.
        """
        for name, size in self.inputs:
            path = Path(name)
            if not path.exists():
                raise ClusterError(f"{path}: is not seen from the node {_here()}. {_HINT}")
            if size is not None and (found := path.stat().st_size) != size:
                raise ClusterError(
                    f"{path}: is another file on the node {_here()}, of {found} bytes instead of {size}. {_HINT}"
                )
        for name, token in self.tokens:
            if not _holds(Path(name), token):
                raise ClusterError(
                    f"{Path(name).parent}: is another folder on the node {_here()}, which does not see what was "
                    f"written into it elsewhere. {_HINT}"
                )


class Storage:
    """The files of a run, on the machine that begins it. Close it, and the tokens go.

    inputs: files and folders that are read. outputs: folders that are written to, made if need be.

    Raises:
        OutputError: a folder of outputs can't be made or written to.
    """

    def __init__(self, inputs: Sequence[Path] = (), outputs: Sequence[Path] = ()) -> None:
        found = {str(path.absolute()): path.stat().st_size if path.is_file() else None for path in inputs}
        tokens: dict[str, str] = {}
        name = f".streamct-{secrets.token_hex(4)}.{HOST}-{os.getpid()}.partial"  # what later runs sweep away
        for folder in outputs:
            tokens[str(folder.absolute() / name)] = secrets.token_hex(16)
        self.files = Files(tuple(sorted(found.items())), tuple(sorted(tokens.items())))
        try:
            self.renew()
        except BaseException:
            self.close()
            raise

    def renew(self) -> None:
        """Write the tokens, again if somebody took them for left over.

        Raises:
            OutputError: a folder can't be made or written to.
        """
        for name, token in self.files.tokens:
            path = Path(name)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists():
                    os.utime(path)  # what is old is swept away
                else:
                    path.write_text(token, encoding="ascii")
            except OSError as cause:
                raise OutputError(f"{path.parent}: can't be written to ({cause.strerror}).") from cause

    def close(self) -> None:
        """Remove the tokens."""
        for name, _ in self.files.tokens:
            with suppress(OSError):
                Path(name).unlink()


def _holds(path: Path, token: str) -> bool:
    for number in range(_TRIES):
        if number:
            time.sleep(_PAUSE)
        with suppress(OSError):
            os.listdir(path.parent)  # has a network file system look again
            if path.read_text(encoding="ascii") == token:
                return True
    return False


def _here() -> str:
    return socket.gethostname()
