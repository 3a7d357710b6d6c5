"""What the user reads when the author's code fails: one error, its type and text; the traceback is in the log."""

import pytest
import subjects
from kloset_sdk import Resource
from kloset_sdk.testing import Entry, ExporterHost, HostError, ImporterHost, StoreHost
from kloset_sdk.testing.plugin import Kloset
from test_exporter import ROOT, file

TOLD = {
    "": "Failing: it failed: ≪no≫",
    "exit": "SystemExit: 3",
    "interrupt": "KeyboardInterrupt",
    "system": "PermissionError: /srv/x: Permission denied",
    "recursion": "RecursionError: maximum recursion depth exceeded",
}
MAC = b"m" * 32


def provoke(kloset: Kloset, where: str, error: str) -> tuple[str, ImporterHost | ExporterHost | StoreHost]:
    """Have it fail in a place; what the user reads."""
    options = {"where": where, "error": error}
    if where in ("scan", "generator", "content", "reader", "reader-close", "ping"):
        importer = kloset.importer(subjects.Fails, "test://me", **options)
        if where == "ping":
            with pytest.raises(HostError) as failed:
                importer.ping()
            return failed.value.text, importer
        if where in ("scan", "generator"):
            with pytest.raises(HostError) as failed:
                importer.scan()
            return failed.value.text, importer
        [entry] = [entry for entry in importer.scan() if entry.path == "/a"]
        assert entry.error is not None
        return entry.error, importer
    if where in ("create_directory", "store_file", "set_permissions"):
        exporter = kloset.exporter(subjects.Fails, "test://me", **options)
        failed_entries = exporter.export([ROOT, file("/file")])
        return failed_entries["/" if where == "create_directory" else "/file"], exporter
    store = kloset.store(subjects.Fails, "test://me", **options)
    with pytest.raises(HostError) as failed:
        match where:
            case "create":
                store.create(b"")
            case "open":
                store.open()
            case "get":
                store.get(Resource.STATE, MAC)
            case "list":
                store.list(Resource.STATE)
            case "put":
                store.put(Resource.STATE, MAC, b"x")
    return failed.value.text, store


PLACES = ["scan", "generator", "content", "reader", "reader-close", "ping", "create_directory", "store_file"]
PLACES += ["set_permissions", "create", "open", "get", "list", "put"]


@pytest.mark.parametrize("where", PLACES)
def test_an_exception_is_one_error_with_its_type_and_text_and_its_traceback_is_in_the_log(kloset: Kloset, where: str) -> None:
    text, host = provoke(kloset, where, "")
    assert text.endswith(TOLD[""]), text
    host.end()
    # Of the directory as well where permissions are set.
    traceback, *others = [line for line in host.log if "Traceback" in line]
    assert len(others) == (where == "set_permissions")
    assert "subjects.py" in traceback and traceback.endswith(TOLD[""].removeprefix("Failing: "))


@pytest.mark.parametrize("where", ["scan", "content", "reader", "store_file", "put", "list"])
@pytest.mark.parametrize("error", [error for error in TOLD if error])
def test_whatever_is_raised_ends_that_call_and_not_the_process(kloset: Kloset, where: str, error: str) -> None:
    text, host = provoke(kloset, where, error)
    assert TOLD[error] in text
    host.end()


@pytest.mark.parametrize("error", TOLD)
def test_a_constructor_that_fails_is_the_answer_to_init(kloset: Kloset, error: str) -> None:
    with pytest.raises(HostError) as failed:
        kloset.store(subjects.Fails, "test://me", where="init", error=error)
    assert failed.value.text.startswith(TOLD[error])


def test_what_was_written_for_the_user_comes_without_a_type(kloset: Kloset) -> None:
    text, host = provoke(kloset, "get", "own")
    assert text.endswith("not found: there is nothing") or text.endswith("there is nothing")
    host.end()
    assert not any("Traceback" in line for line in host.log)


def test_close_fails_where_the_host_says_that_it_is_done(kloset: Kloset) -> None:
    importer = kloset.importer(subjects.Fails, "test://me", where="close", error="")
    with pytest.raises(HostError, match="Failing: it failed"):
        importer.end()


@pytest.mark.parametrize("where", ["generator", "content"])
@pytest.mark.parametrize("error", ["", "exit", "interrupt"])
def test_the_same_holds_for_async_def(kloset: Kloset, where: str, error: str) -> None:
    importer = kloset.importer(subjects.FailsLater, "test://me", where=where, error=error)
    if where == "generator":
        with pytest.raises(HostError) as failed:
            importer.scan()
        text = failed.value.text
    else:
        [text] = [entry.error or "" for entry in importer.scan() if entry.path == "/a"]
    assert text == TOLD[error]
    importer.end()
    assert "closed the generator" in importer.log


def test_what_was_meant_to_end_the_program_leaves_an_instance_that_is_not_used_further(kloset: Kloset) -> None:
    importer = kloset.importer(subjects.Fails, "test://me", where="scan", error="exit")
    with pytest.raises(HostError):
        importer.scan()
    with pytest.raises(HostError, match="the connector is not used any further: SystemExit: 3"):
        importer.ping()


def test_a_name_that_is_none_is_an_error_of_the_list(kloset: Kloset) -> None:
    store = kloset.store(subjects.Fails, "test://me", where="short names")
    with pytest.raises(HostError, match="a MAC has 32 bytes, this one has 5"):
        store.list(Resource.STATE)


def test_a_failure_of_one_file_leaves_the_others(kloset: Kloset) -> None:
    exporter = kloset.exporter(subjects.Takes, "test:///x")
    assert list(exporter.export([ROOT, file("/no such way"), file("/read")])) == ["/no such way"]


def test_an_entry_without_information_is_made_up() -> None:
    assert Entry("/x").info is None
