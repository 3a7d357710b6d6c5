"""``python -m kloset_sdk``: the command ``kloset-sdk``, which plays the backup program towards any connector.

It has one command more than elsewhere, ``package``.
"""

import signal
import sys

from . import _native


def run() -> int:
    """Run the command with the program's arguments."""
    if sys.argv[1:2] == ["package"]:
        from . import packaging

        return packaging.run(sys.argv[2:])
    # The command takes this signal itself, and wants no other for a pipe that nobody reads: connectors end as they like.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = _native.command(["kloset-sdk", *sys.argv[1:]])
    if sys.argv[1:] in ([], ["--help"], ["-h"]):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        print("\nAnd for connectors in Python:\n  package  Lay one ready to ship (python -m kloset_sdk package --help)")
    return code


if __name__ == "__main__":
    sys.exit(run())
