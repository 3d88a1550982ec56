"""The command line: the only room that prints or exits."""

from __future__ import annotations

import signal
import sys
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143


class Terminated(BaseException):
    """SIGTERM, raised in the main thread so that everything is cleaned up like after Ctrl-C."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main() -> None:
    """Run `streamct` and exit with its code."""
    import click

    from streamct.cli.app import app
    from streamct.cli.report import complain, complain_internal
    from streamct.errors import StreamctError

    signal.signal(signal.SIGTERM, _terminate)
    verbose = "--verbose" in sys.argv or "-v" in sys.argv
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except StreamctError as error:
        complain(error, verbose)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Terminated:
        print("terminated; nothing was written", file=sys.stderr)
        sys.exit(TERMINATED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        complain_internal(error, verbose)
        sys.exit(1)
