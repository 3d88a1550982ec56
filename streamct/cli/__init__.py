"""The command line: the only room that prints or exits."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

_CLOSED = 128 + signal.SIGPIPE
_OBJECTS = 50_000
"""How many come before garbage is looked for: imports make three times as many, and none of it is garbage."""


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP, raised in the main thread so that everything is cleaned up on the way out.

    Not a KeyboardInterrupt: libraries that catch that one would choose the exit code themselves. left: what the user
    is told of the outcome.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.left = "nothing was written"


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second Ctrl-C does not wait for the clean-up
    raise Stopped(number)


def main() -> None:
    """Run `streamct` and exit with its code: 0, 1 (failed), 2 (wrong usage), or 128 and the number of a signal: 130
    (Ctrl-C), 141 (nobody reads standard output any more), 143 (SIGTERM), 129 (SIGHUP: the terminal went)."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        signal.signal(signal.SIGHUP, _stop)
    verbose = "--verbose" in sys.argv or "-v" in sys.argv
    gc.set_threshold(_OBJECTS, 20, 20)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # our products are small, and threads that wait for more cost
    try:
        from streamct.cli.app import app
        from streamct.cli.report import complain, complain_internal
        from streamct.errors import ClosedOutputError, StreamctError

        try:
            app()
        except ClosedOutputError:  # as other programs of a pipeline: no word
            sys.exit(_CLOSED)
        except StreamctError as error:
            complain(error, verbose, as_json="--json" in sys.argv)
            sys.exit(error.exit_code)
        except SystemExit as ended:
            if not isinstance(ended.__context__, BrokenPipeError):
                raise
            print("stopped: the program that reads standard output has ended", file=sys.stderr)
            sys.exit(_CLOSED)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                complain_internal(error, verbose, as_json="--json" in sys.argv)
                sys.exit(1)
            print("error: standard output is full", file=sys.stderr)
            os._exit(1)  # the interpreter would try to write the rest once more, and complain
        except Exception as error:
            complain_internal(error, verbose, as_json="--json" in sys.argv)
            sys.exit(1)
    except Stopped as stop:
        cause = "Ctrl-C" if stop.number == signal.SIGINT else signal.Signals(stop.number).name
        with suppress(OSError):  # a terminal that went takes no more
            print(f"stopped ({cause}); {stop.left}", file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        # Everything of ours is cleaned up; what libraries would still tear down must not spoil the exit code.
        os._exit(128 + stop.number)
