"""What exporters can do with what they get."""

import hashlib

import pytest
import subjects
from kloset_sdk import FileInfo, Record
from kloset_sdk.testing import Entry
from kloset_sdk.testing.plugin import Kloset

TEXT = subjects.TEXT
DIGEST = hashlib.sha256(TEXT).hexdigest()
ROOT = Entry("/", Record.directory("/").info)
WAYS = ["read", "read some", "readinto", "copyfileobj", "buffered", "pieces", "copy to a file", "copy to a descriptor"]
WAYS += ["copy to gzip", "digest"]


def file(path: str, content: bytes = TEXT) -> Entry:
    return Entry(path, FileInfo(size=len(content), mtime_ns=1_600_000_000_123_456_000), content)


@pytest.mark.parametrize("generation", ["1.1", "1.0"])
def test_a_source_is_a_file_that_is_read_in_every_way_that_files_are(kloset: Kloset, generation: str) -> None:
    exporter = kloset.exporter(subjects.Takes, "test:///x", generation=generation)
    assert exporter.export([ROOT, *(file(f"/{way}") for way in WAYS)]) == {}
    exporter.end()
    for way in WAYS:
        line = f"took /{way}: {len(TEXT)} bytes, {DIGEST}, {len(TEXT)}, "
        # A host of generation 1.0 tells the time later.
        line += "2020-09-13T12:26:40.123456+00:00" if generation == "1.1" else ""
        assert any(logged.startswith(line) for logged in exporter.log)


def test_a_source_can_be_read_in_an_async_def(kloset: Kloset) -> None:
    exporter = kloset.exporter(subjects.TakesLater, "test:///x")
    assert exporter.export([ROOT, file("/pieces"), file("/aread"), file("/empty", b"")]) == {}
    exporter.end()
    assert f"took /pieces: {len(TEXT)} bytes, {DIGEST}" in exporter.log
    assert f"took /aread: {len(TEXT)} bytes, {DIGEST}" in exporter.log


def test_a_call_that_returns_before_it_has_read_everything_has_failed(kloset: Kloset) -> None:
    exporter = kloset.exporter(subjects.Takes, "test:///x")
    failed = exporter.export([ROOT, file("/nothing"), file("/half"), file("/read")])
    rest = f"bytes of {len(TEXT)}, before it had read everything"
    assert failed == {
        "/nothing": f"store_file returned success after 0 {rest}",
        "/half": f"store_file returned success after 100 {rest}",
    }


def test_links_and_attributes_come_to_those_who_have_methods_for_them(kloset: Kloset) -> None:
    exporter = kloset.exporter(subjects.Takes, "test:///x")
    link = Entry("/link", Record.symlink("/link", "anywhere").info, target="anywhere")
    attributed = file("/read")
    attributed.xattrs = {"user.color": b"red\xff"}
    assert exporter.export([ROOT, attributed, link]) == {}
    exporter.end()
    assert "link /link -> anywhere, symbolic" in exporter.log
    assert r"xattr /read user.color b'red\xff'" in exporter.log


def test_what_an_exporter_does_not_offer_is_an_error_of_that_entry(kloset: Kloset) -> None:
    exporter = kloset.exporter(subjects.Takes, "test:///x")
    fifo = Entry("/fifo", FileInfo(mode=0o010644, size=0))
    failed = exporter.export([ROOT, fifo, file("/read")])
    assert failed == {"/fifo": "create_special: not supported by this connector"}
