"""The exporter: a database is put back whole, or not at all."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import kloset_sdk
from kloset_sdk import Config, ConfigError, Error, FileInfo, Source, naming


class Exporter(kloset_sdk.Exporter):
    """Restores the database of a backup to a path."""

    type = "sqlite"
    root = "/"

    def __init__(self, config: Config) -> None:
        config.only()
        self.path = config.path.absolute()
        self.taken: str | None = None
        self.lock = threading.Lock()
        with naming(self.path):
            if self.path.is_dir():
                raise ConfigError("it is a directory: name the file that the database is to become")

    def create_directory(self, path: str, info: FileInfo) -> None:
        """There is one file and no directory."""

    def store_file(self, path: str, info: FileInfo, source: Source) -> None:
        if path.endswith(".sql"):
            # For people to read: the database holds it.
            for _ in source.pieces():
                pass
            return
        with self.lock:
            if self.taken is not None:
                raise Error(f"there is more than one database in this backup; {self.taken} was restored: restore one at a time")
            self.taken = path
        with naming(self.path), self.temporary() as temporary:
            with temporary.open("xb") as file:
                source.copy_to(file)
                file.flush()
                os.fsync(file.fileno())
            check(temporary)
            with unused(self.path):
                temporary.rename(self.path)

    def set_permissions(self, path: str, info: FileInfo) -> None:
        if path == self.taken:
            with naming(self.path):
                self.path.chmod(info.permissions)
                os.utime(self.path, ns=(info.mtime_ns, info.mtime_ns))

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A name beside the database, which is gone afterwards."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}-{os.getpid()}.tmp")
        with suppress(FileNotFoundError):
            temporary.unlink()
        try:
            yield temporary
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def check(path: Path) -> None:
    """Refuse what is no sound database."""
    try:
        with closing(sqlite3.connect(path)) as database:
            (said,) = database.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise Error(f"what was restored is no database: {error}") from error
    if said != "ok":
        raise Error(f"the restored database is damaged: {said}")


@contextmanager
def unused(path: Path) -> Iterator[None]:
    """Have the database that is there, if any, to oneself.

    A log or journal that lies beside it would be taken for that of the database which takes its place, and spoil it.
    """
    with closing(sqlite3.connect(path if path.exists() else ":memory:", isolation_level=None)) as old:
        try:
            # Whoever uses it has to be done; what is in its log comes into it, and the log goes.
            old.execute("PRAGMA journal_mode = DELETE")
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Error(f"the database that is there cannot be replaced: {error}; stop the programs that use it") from error
        except sqlite3.DatabaseError:
            old.close()  # it is damaged, or none at all
        for beside in (f"{path}-wal", f"{path}-journal"):
            if os.path.exists(beside):
                raise Error(f"{beside} would be taken for a part of the restored database: move it away")
        yield
