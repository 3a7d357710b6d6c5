"""The whole of a connector's program."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from . import _log, _loop, _native
from .exporter import Exporter
from .importer import Importer
from .store import Store

_PATIENCE = 0.5


def main(
    *,
    importer: type[Importer] | None = None,
    exporter: type[Exporter] | None = None,
    store: type[Store] | None = None,
    name: str | None = None,
    version: str = "",
    arguments: list[str] | None = None,
) -> None:
    """Serve the role that the command line names until the host is done, and end the program with `SystemExit`.

    Standard input and output belong to the protocol from here on: what is printed goes to stderr. `logging` writes to the
    library's log, unless it was configured before. `name` stands before log lines; the default is the script's. `arguments` are
    those of the command line, if not `sys.argv`'s: the role's name, which can be left out where there is one role only.

    At the top of a module that is only imported this does nothing: a test imports it, or a process of `multiprocessing`.
    """
    caller = sys._getframe(1)
    if caller.f_code.co_name == "<module>" and caller.f_globals["__name__"] != "__main__":
        return
    for role, base in ((importer, Importer), (exporter, Exporter), (store, Store)):
        if role is not None and not (isinstance(role, type) and issubclass(role, base)):
            raise TypeError(f"{role!r} is no class that inherits {base.__name__}")
    program = _program()
    if name is None:
        name = Path(program).stem or "connector"
    _log.connect()
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # The library waits for the host to close first.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.register_at_fork(after_in_child=_native.forked)
    code, running = _native.run(
        name, version, program, (importer, exporter, store), sys.argv[1:] if arguments is None else arguments
    )
    _loop.stop(_PATIENCE)
    if running:
        # A thread inside the author's code would be torn out of it by the interpreter's end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def _program() -> str:
    """What was started, by the name that a person starts it with."""
    match sys.orig_argv:
        case [_, "-m", module, *_]:
            return module
        case [_, program, *_] if Path(program).exists():
            return program
        case _:
            return sys.argv[0]
