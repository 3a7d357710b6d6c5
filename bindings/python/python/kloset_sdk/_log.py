"""`logging`, connected to the library's log: lines to stderr, as many as ``KLOSET_SDK_LOG`` says, secrets masked."""

import logging

from . import _native

_LEVELS = ((logging.ERROR, 1), (logging.WARNING, 2), (logging.INFO, 3), (logging.NOTSET, 4))


class Handler(logging.Handler):
    """Writes to the library's log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            level = next(number for least, number in _LEVELS if record.levelno >= least)
            _native.log(level, self.format(record))
        except Exception:
            self.handleError(record)


def connect() -> None:
    """Have `logging` write to the library's log, unless the author has configured it."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = Handler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    root.addHandler(handler)
    shown = [python for python, number in _LEVELS if _native.log_enabled(number)]
    root.setLevel(min(shown, default=logging.CRITICAL) or logging.DEBUG)
