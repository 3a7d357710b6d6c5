"""A live database, backed up and restored."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kloset_sdk import Record
from kloset_sdk.testing import Entry, HostError, ImporterSuite
from kloset_sdk.testing.plugin import Kloset

from sqlite_python.exporter import Exporter
from sqlite_python.importer import Importer

ROOT = Entry("/", Record.directory("/").info)


def rows(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT number, text FROM lines ORDER BY number").fetchall()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "life.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE lines (number INTEGER PRIMARY KEY, text TEXT)")
        database.executemany("INSERT INTO lines VALUES (?, ?)", ((n, "x" * 100) for n in range(20_000)))
    return path


class TestImporter(ImporterSuite):
    connector = Importer

    @pytest.fixture
    def location(self, database: Path) -> str:
        return f"sqlite://{database}"


def test_what_others_have_begun_to_write_is_not_in_the_backup_and_what_they_have_written_is(
    kloset: Kloset, database: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database)) as writer:
        with writer:
            writer.execute("INSERT INTO lines VALUES (20000, 'committed')")
        writer.execute("INSERT INTO lines VALUES (20001, 'not committed')")
        found = kloset.importer(Importer, f"sqlite://{database}").tree()
    content = found["/life.db"].content
    assert content is not None
    (tmp_path / "copy").write_bytes(content)
    assert len(rows(tmp_path / "copy")) == 20_001
    assert b"CREATE TABLE lines" in (found["/schema.sql"].content or b"")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("copy")) == ["copy"]


def test_what_was_committed_to_the_log_changes_the_time_by_which_the_host_knows_the_database(
    kloset: Kloset, database: Path
) -> None:
    def told() -> datetime:
        info = kloset.importer(Importer, f"sqlite://{database}").tree()["/life.db"].info
        assert info is not None
        return info.mtime

    with closing(sqlite3.connect(database)) as writer:
        with writer:
            writer.execute("INSERT INTO lines VALUES (20000, 'one')")
        for path in (database, f"{database}-wal"):
            os.utime(path, (1_000_000_000, 1_000_000_000))
        assert told() == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
        with writer:
            writer.execute("INSERT INTO lines VALUES (20001, 'two')")
        assert database.stat().st_mtime == 1_000_000_000
        assert told() > datetime(2020, 1, 1, tzinfo=UTC)


def test_a_restore_replaces_the_database_in_one_step(kloset: Kloset, database: Path, tmp_path: Path) -> None:
    found = kloset.importer(Importer, f"sqlite://{database}").tree()
    to = tmp_path / "restored" / "life.db"
    exporter = kloset.exporter(Exporter, f"sqlite://{to}")
    assert exporter.export([ROOT, found["/schema.sql"], found["/life.db"]]) == {}
    assert rows(to) == rows(database)
    assert [path.name for path in to.parent.iterdir()] == ["life.db"]


def test_a_database_in_use_is_not_replaced_and_its_log_spoils_no_other(kloset: Kloset, database: Path) -> None:
    found = kloset.importer(Importer, f"sqlite://{database}").tree()
    exporter = kloset.exporter(Exporter, f"sqlite://{database}")
    with closing(sqlite3.connect(database)) as user:
        with user:
            user.execute("DELETE FROM lines")
        assert Path(f"{database}-wal").exists()
        [error] = exporter.export([ROOT, found["/life.db"]]).values()
        stop = "database is locked; stop the programs that use it"
        assert error == f"{database}: the database that is there cannot be replaced: {stop}"
        assert rows(database) == []
    # As a program leaves it that was killed.
    with closing(sqlite3.connect(database)) as user:
        with user:
            user.execute("INSERT INTO lines VALUES (1, 'x')")
        copies = {path: path.read_bytes() for path in (database, Path(f"{database}-wal"))}
    for path, content in copies.items():
        path.write_bytes(content)
    exporter = kloset.exporter(Exporter, f"sqlite://{database}")
    assert exporter.export([ROOT, found["/life.db"]]) == {}
    assert len(rows(database)) == 20_000
    assert [path.name for path in database.parent.iterdir()] == ["life.db"]


def test_a_log_without_its_database_is_told_and_not_taken_for_the_restored_ones(kloset: Kloset, database: Path) -> None:
    found = kloset.importer(Importer, f"sqlite://{database}").tree()
    log = Path(f"{database}-wal")
    database.unlink()
    log.write_bytes(b"a log")
    exporter = kloset.exporter(Exporter, f"sqlite://{database}")
    told = f"{log} would be taken for a part of the restored database: move it away"
    assert exporter.export([ROOT, found["/life.db"]]) == {"/life.db": f"{database}: {told}"}
    assert log.read_bytes() == b"a log" and not database.exists()


@pytest.mark.parametrize("beside", ["", "-wal", "-journal"])
def test_what_was_no_database_is_replaced_by_one_that_is(kloset: Kloset, database: Path, beside: str) -> None:
    found = kloset.importer(Importer, f"sqlite://{database}").tree()
    before = rows(database)
    for path in (database, Path(f"{database}{beside}")):
        path.write_bytes(b"no database at all" * 100)
    assert kloset.exporter(Exporter, f"sqlite://{database}").export([ROOT, found["/life.db"]]) == {}
    assert rows(database) == before


def test_what_is_no_database_is_not_restored_over_one(kloset: Kloset, database: Path) -> None:
    before = rows(database)
    exporter = kloset.exporter(Exporter, f"sqlite://{database}")
    failed = exporter.export([ROOT, Entry("/life.db", Record.file("/x").info, b"no database at all" * 100)])
    assert failed == {"/life.db": f"{database}: what was restored is no database: file is not a database"}
    assert rows(database) == before


def test_what_cannot_be_backed_up_is_named_in_init(kloset: Kloset, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all" * 100)
    for name, text in (("absent", "No such file or directory"), ("text", "file is not a database"), ("", "it is no regular")):
        with pytest.raises(HostError) as failed:
            kloset.importer(Importer, f"sqlite://{tmp_path}/{name}")
        assert failed.value.text.startswith(f"{tmp_path / name}: {text}")
