"""What can go wrong, as one tree. Messages name the file, the place and the remedy.

    StreamctError                 exit code 1
    ├── UsageError                exit code 2: the command or call itself is wrong
    │   └── SettingsError         an unknown key, a value out of range, an unreadable config file
    ├── InputError                the input can't be used (missing, a folder, unreadable)
    │   ├── NoVideoError          a readable file without a picture to grade
    │   └── DamagedInputError     decoding stopped early or produced corrupt frames
    ├── ReferenceError            the reference picture can't be used
    ├── LookFileError             a palette or a map can't be read, or what it says can't be
    ├── LutError                  a LUT file can't be read or does not hold what its format says
    ├── MaskError                 a matte is missing, unreadable or of the wrong length
    ├── TrackError                a saved track or a list of cuts can't be read or does not fit the clip
    ├── SegmenterError            a network that was asked for can't be had: its weights or its device
    ├── ExecutionError            the work could not be done where it was sent
    │   ├── ClusterError          the cluster can't be reached, refuses us, or does not see the files
    │   │   └── ClusterEndedError it was there, and is not any more
    │   ├── WorkerLostError       a worker ended while it worked
    │   ├── QuarantineError       a job that ended its worker again and again
    │   ├── StallError            nothing went on any more
    │   └── NotBegunError         a job that was left out because another of its file failed
    └── OutputError               the output can't be written, exists, or failed its check
        ├── EncoderRefusalError   an encoder does not take the picture, or does not run here
        └── ClosedOutputError     the program that read our standard output has ended

Nothing below `cli` prints or exits; it raises one of these.
"""

from __future__ import annotations


class StreamctError(Exception):
    """Base of every error that streamct raises on purpose. `exit_code` is what the CLI returns."""

    exit_code = 1


class UsageError(StreamctError):
    """The request contradicts itself or names something that does not exist."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, has a value out of range, or its file can't be read."""


class InputError(StreamctError):
    """The input can't be used: it is missing, a folder, unreadable or of an unknown format."""


class NoVideoError(InputError):
    """The file can be read but holds nothing to grade."""


class DamagedInputError(InputError):
    """Decoding stopped before the declared end, or frames came out corrupt."""


class ReferenceError(StreamctError):
    """The reference picture can't be used."""


class LookFileError(StreamctError):
    """A palette or map file is missing, is no JSON, or says something that can't be."""


class LutError(StreamctError):
    """A LUT file is missing, unreadable, or not as its format's specification has it."""


class MaskError(StreamctError):
    """A matte is missing, unreadable, or does not have one picture a frame."""


class TrackError(StreamctError):
    """A saved track or a list of cuts can't be read, or belongs to another clip."""


class SegmenterError(StreamctError):
    """A segmenting network can't be had: weights missing, wrong or out of reach, or no such device."""


class ExecutionError(StreamctError):
    """The work could not be done where it was sent; the files are not at fault."""


class ClusterError(ExecutionError):
    """The cluster can't be reached, does not let us in, or has nodes that don't see the files."""


class ClusterEndedError(ClusterError):
    """What the work was sent through has ended, and all that was under way with it."""


class WorkerLostError(ExecutionError):
    """A worker ended while it worked: killed, out of memory, or with its machine (`node`)."""

    def __init__(self, message: str, node: bool = False) -> None:
        super().__init__(message, node)
        self.node = node

    def __str__(self) -> str:
        return str(self.args[0])


class QuarantineError(ExecutionError):
    """A job ended its worker as often as is allowed, and is not tried again."""


class StallError(ExecutionError):
    """No job ended and no frame was finished for too long."""


class NotBegunError(ExecutionError):
    """A job that was left out, because another one of the same file had failed."""


class OutputError(StreamctError):
    """The output exists, can't be written, or did not pass its check. Older output is untouched."""


class EncoderRefusalError(OutputError):
    """An encoder does not take the picture or the settings, or does not run on this machine: `reason`."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, reason)  # all of it: what is sent between processes is made again from these
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class ClosedOutputError(OutputError):
    """The program that read our standard output wants no more. Nobody needs to be told."""
