"""The importer: a database as it is at one moment, whoever writes to it meanwhile."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import kloset_sdk
from kloset_sdk import Config, ConfigError, Error, FileInfo, Record, naming

PAGES = 1000
"""How many pages are copied before those who write to the database get their turn."""


class Importer(kloset_sdk.Importer):
    """Gives two files: the database, copied through SQLite's backup interface, and its schema to be read by people."""

    type = "sqlite"
    root = "/"

    def __init__(self, config: Config) -> None:
        config.only()
        self.path = config.path.absolute()
        self.ping()

    def ping(self) -> None:
        """Fail if this is no database, or one that cannot be read."""
        with naming(self.path):
            if not self.path.is_file():
                os.stat(self.path)
                raise ConfigError("it is no regular file")
            try:
                with closing(self.connect()) as database:
                    database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            except sqlite3.Error as error:
                raise ConfigError(str(error)) from error

    def connect(self) -> sqlite3.Connection:
        """The database, to be read."""
        return sqlite3.connect(f"file:{quote(os.fspath(self.path))}?mode=ro", uri=True)

    def scan(self) -> Iterator[Record]:
        info = FileInfo.from_stat(self.path.stat())
        # What is committed in WAL mode is in the log first. By this time the host tells whether it has the database already.
        with suppress(FileNotFoundError):
            info.mtime_ns = max(info.mtime_ns, os.stat(f"{self.path}-wal").st_mtime_ns)
        with closing(self.connect()) as database:
            schema = "".join(f"{sql};\n" for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL"))
        yield Record.file("/schema.sql", schema.encode(), mtime=info.mtime)
        # How large the copy is is known when it is made.
        info.size = None
        info.nlink = 1
        yield Record(f"/{self.path.name}", info, content=self.copy)

    def copy(self) -> "Copy":
        """A copy as of now. It is made when the host asks for it, and lies on the disk, since a database may be large."""
        return Copy(self)


class Copy:
    """A copy of the database in a file that is gone when it is closed."""

    def __init__(self, importer: Importer) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sqlite-python-")
        path = Path(self.folder.name, "copy")
        try:
            with closing(importer.connect()) as source, closing(sqlite3.connect(path)) as copy:
                source.backup(copy, pages=PAGES)
                # What is restored is one file, whatever the original keeps beside itself.
                copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            self.folder.cleanup()
            raise Error(f"{importer.path}: {error}") from error
        self.file = path.open("rb", buffering=0)

    def readinto(self, buffer: memoryview) -> int | None:
        return self.file.readinto(buffer)

    def close(self) -> None:
        self.file.close()
        self.folder.cleanup()
