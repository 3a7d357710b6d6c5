"""The conformance suite on the examples."""

import mailbox
import os
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

from kloset_sdk.testing import check

import fs_python.exporter
import fs_python.importer
import fs_python.store
import mailbox_python.importer
import sqlite_python.exporter
import sqlite_python.importer

NO_DATABASES = ["eof-clean", "children", "stdout-to-the-end", "second-init", "second-export", "large-file-memory"]
"""Checks that store something and look whether it was taken: it is no database, and so it is refused."""


def ways(folder: Path) -> list[Callable[..., str]]:
    """Every role of every example."""
    with closing(sqlite3.connect(folder / "life.db")) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE lines (text TEXT)")
        database.executemany("INSERT INTO lines VALUES (?)", ([os.urandom(1000)] for _ in range(1000)))
    message = b"From: me\n\nhello\n" * 1000
    with closing(mailbox.Maildir(folder / "mail")) as box:
        box.add(message)
    (name,) = (path.name for path in (folder / "mail" / "new").iterdir())
    messages: dict[str, bytes | None] = {"/INBOX": None, f"/INBOX/{name}.eml": message}
    return [
        partial(check, fs_python.importer.Importer, "importer", protocol="fspython"),
        partial(check, fs_python.exporter.Exporter, "exporter", protocol="fspython"),
        partial(check, fs_python.store.Store, "store", protocol="fspython"),
        partial(check, sqlite_python.importer.Importer, "importer", f"sqlite://{folder}/life.db"),
        partial(check, sqlite_python.exporter.Exporter, "exporter", f"sqlite://{folder}/{{}}/life.db", skip=NO_DATABASES),
        partial(check, mailbox_python.importer.Importer, "importer", f"mailbox://{folder}/mail", expected=messages),
    ]


def test_the_examples_pass_every_check_in_both_generations(tmp_path: Path) -> None:
    def run(generation: str, only: list[str]) -> list[Callable[[], str]]:
        (tmp_path / generation).mkdir()
        return [partial(way, generation=generation, only=only) for way in ways(tmp_path / generation)]

    # How a process lives and ends is the library's, and the same in the older generation.
    runs = run("1.1", []) + run("1.0", ["importer", "exporter", "store"])
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for summary in threads.map(lambda way: way(), runs):
            said = re.search(r"(\d+) passed, 0 failed", summary)
            assert said is not None and said[1] != "0", summary
