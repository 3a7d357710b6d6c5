"""``python -m kloset_sdk``: the command ``kloset-sdk``, which plays the backup program towards any connector."""

import signal
import sys

from . import _native


def run() -> int:
    """Run the command with the program's arguments."""
    # The command takes the signal itself; a pipe that nobody reads ends it, as any other.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return _native.command(["kloset-sdk", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(run())
