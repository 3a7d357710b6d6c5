"""The importer: each message is a file, in a directory for each folder."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from functools import partial
from mailbox import Maildir, mbox
from pathlib import Path

import kloset_sdk
from kloset_sdk import Config, ConfigError, Record, Unreadable, naming


class Importer(kloset_sdk.Importer):
    """Reads an mbox, or a Maildir with its folders."""

    type = "mailbox"
    root = "/"

    def __init__(self, config: Config) -> None:
        config.only()
        self.path = config.path.absolute()
        self.lock = threading.Lock()
        with naming(self.path):
            os.stat(self.path)
            self.is_maildir = (self.path / "cur").is_dir()
            if not self.is_maildir and not self.path.is_file():
                raise ConfigError("it is neither an mbox, which is a file, nor a Maildir, which has a directory cur")

    def scan(self) -> Iterator[Record | Unreadable]:
        if self.is_maildir:
            yield from self.of_maildir(self.path, "INBOX")
            for name in Maildir(self.path, create=False).list_folders():
                yield from self.of_maildir(self.path / f".{name}", name)
        else:
            yield from self.of_mbox()

    def of_maildir(self, folder: Path, name: str) -> Iterator[Record | Unreadable]:
        """The messages of a folder. Each is a file already: the library reads it."""
        for part in ("new", "cur"):
            for path in (folder / part).iterdir():
                # What follows the colon changes when the message is read or answered.
                key = path.name.split(":")[0]
                try:
                    with path.open("rb") as file:
                        sent = date(BytesHeaderParser().parse(file))
                        status = os.fstat(file.fileno())
                except FileNotFoundError:
                    continue  # it was moved or deleted meanwhile
                except OSError as error:
                    yield Unreadable(f"/{name}/{key}.eml", error)
                else:
                    yield Record.file(
                        f"/{name}/{key}.eml",
                        partial(current, path),
                        size=status.st_size,
                        mtime=sent or status.st_mtime,
                        mode=0o600,
                    )

    def of_mbox(self) -> Iterator[Record]:
        """The messages of an mbox. They have no names there: what they hold names them, so that it is the same each time."""
        box = mbox(self.path, create=False)
        seen: dict[str, int] = {}
        for key in box.iterkeys():
            message = self.message(box, key)
            name = hashlib.sha256(message).hexdigest()[:32]
            copies = seen[name] = seen.get(name, 0) + 1
            if copies > 1:
                name = f"{name}-{copies}"
            yield Record.file(
                f"/{self.path.stem}/{name}.eml",
                partial(self.message, box, key),
                size=len(message),
                mtime=date(BytesHeaderParser().parsebytes(message)),
                mode=0o600,
            )

    def message(self, box: mbox, key: str) -> bytes:
        """A message. The mbox is one open file: one message is read at a time."""
        with self.lock:
            return box.get_bytes(key)


def current(path: Path) -> Path:
    """Where a message of a Maildir lies by now: it moves when it is read, and its name changes behind the colon."""
    if path.exists():
        return path
    key = path.name.split(":")[0]
    found = (other for part in ("cur", "new") for other in (path.parents[1] / part).iterdir() if other.name.split(":")[0] == key)
    return next(found, path)


def date(headers: Message) -> datetime | None:
    """When a message was sent, if it says so."""
    with suppress(ValueError, TypeError):
        return parsedate_to_datetime(str(headers["Date"]))
    return None
