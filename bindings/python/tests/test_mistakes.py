"""What an author reads who has made a mistake: what is wrong, by its name, and what it has to be."""

import mistakes
import pytest
from kloset_sdk import Config, Exporter, FileInfo, Importer, Mode, Resource
from kloset_sdk.testing import Entry, ExporterHost, HostError, ImporterHost, StoreHost
from kloset_sdk.testing.plugin import Kloset
from test_exporter import ROOT

NUMBER = "it has to be a whole number from 0 to 2**64 - 1"
PATH = "it has to be a str or a pathlib.Path"
BYTES = "it has to be bytes, a path, a file, an iterable of bytes, or a function that returns one"
NOT_UTF8 = "it holds what is no text in UTF-8; leave such an entry out, and yield Unreadable for it"
MAC = b"m" * 32

CONTENTS = {
    "offset": f"ValueError: FileSlice.offset is -1: {NUMBER}",
    "length": f"ValueError: FileSlice.length is -5: {NUMBER}, or None",
    "text offset": f"TypeError: FileSlice.offset is '3': {NUMBER}",
    "fraction": f"TypeError: FileSlice.length is 3.5: {NUMBER}, or None",
    "huge": f"ValueError: FileSlice.offset is {1 << 70}: {NUMBER}",
    "number path": f"TypeError: FileSlice.path is 7: {PATH}",
    "no path": f"TypeError: FileSlice.path is None: {PATH}",
    "bytes path": f"TypeError: FileSlice.path is b'/x': {PATH}",
    "absent": "not found: /absent/file: No such file or directory",
    "number": f"TypeError: the content is 7: {BYTES}",
    "text": "TypeError: the content is a str, 'text': encode a text, and make a path a pathlib.Path",
    "text file": "open it with mode 'rb'",
    "texts": "TypeError: the content is iterated over and yields 'a': it has to yield bytes",
    "numbers": "TypeError: the content is iterated over and yields 1: it has to yield bytes",
    "mapping": "TypeError: the content is iterated over and yields 'a': it has to yield bytes",
    "read text": "TypeError: what read returned is 'text': it has to be bytes",
    "read number": "TypeError: what read returned is 7: it has to be bytes",
    "read nothing": "TypeError: read returned None: the file is in non-blocking mode, and has to block",
    "readinto negative": "ValueError: what readinto returned is -1: it has to be the number of bytes read",
    "readinto text": "TypeError: what readinto returned is 'x': it has to be the number of bytes read",
    "bytes path object": PATH,
    "argument": "missing 1 required positional argument: 'a'",
}

RECORDS = {
    "path number": f"TypeError: path is 7: {PATH}",
    "path bytes": f"TypeError: path is b'/x': {PATH}",
    "path bytes object": PATH,
    "path not UTF-8": rf"ValueError: Record.path is '/\udcff': {NOT_UTF8}",
    "from bytes": f"TypeError: path is b'/etc': {PATH}",
    "slice": f'ValueError: record "/x": FileSlice.offset is -1: {NUMBER}',
    "size negative": f'ValueError: record "/x": FileInfo.size is -1: {NUMBER}, or None',
    "size text": f"TypeError: record \"/x\": FileInfo.size is '3': {NUMBER}, or None",
    "size huge": f'ValueError: record "/x": FileInfo.size is {1 << 70}: {NUMBER}, or None',
    "mode text": "TypeError: mode is '0644': it has to be a number, as 0o644",
    "mode without type": 'record "/x" has a content and is no regular file; set the type in its mode',
    "mtime text": "TypeError: mtime is '2020-01-01': it has to be a datetime, or seconds since 1970",
    "mtime date": "TypeError: mtime is datetime.date(2020, 1, 1): it has to be a datetime, or seconds since 1970",
    "mtime nan": "TypeError: mtime is nan: it has to be a datetime, or seconds since 1970",
    "mtime huge": 'ValueError: record "/x": FileInfo.mtime_ns is 1000',
    "uid negative": f'ValueError: record "/x": FileInfo.uid is -1: {NUMBER}',
    "user bytes": "TypeError: record \"/x\": FileInfo.user is b'me': it has to be a str",
    "info none": 'TypeError: record "/x": Record.info is None: it has to be a FileInfo',
    "info stat": "it has to be a FileInfo, which FileInfo.from_stat makes of an os.stat_result",
    "target none": f"TypeError: target is None: {PATH}",
    "target not UTF-8": rf"""ValueError: record "/x": Record.target is '\udcff': {NOT_UTF8}""",
    "xattrs list": "TypeError: record \"/x\": Record.xattrs is ['user.a']: it has to be a mapping of names to bytes",
    "xattrs text": "an item of Record.xattrs is ('user.a', 'red'): it has to be a name, which is a str, and bytes",
    "nothing": "TypeError: scan yielded None: it has to yield Record or Unreadable",
    "class": "TypeError: scan yielded <class 'kloset_sdk.record.Record'>: it has to yield Record or Unreadable",
    "unreadable none": "TypeError: error is None: it has to be an exception, or a str",
}


def test_every_content_that_is_none_is_the_error_of_its_file_and_says_what_it_is(kloset: Kloset) -> None:
    assert CONTENTS.keys() == mistakes.CONTENTS.keys()
    found = {entry.path: entry.error or "no error" for entry in kloset.importer(mistakes.Contents, "test://me").scan()}
    told = {name: found[f"/{name}"] for name in CONTENTS}
    assert {name: text for name, text in told.items() if CONTENTS[name] not in text} == {}


def refused(kloset: Kloset, connector: type[Importer], **options: str) -> str:
    importer = kloset.importer(connector, "test://me", **options)
    with pytest.raises(HostError) as failed:
        importer.scan()
    importer.end()
    return failed.value.text


def test_each_mistake_in_a_record_has_a_text() -> None:
    assert RECORDS.keys() == mistakes.RECORDS.keys()


@pytest.mark.parametrize("what", RECORDS)
def test_a_record_that_is_none_ends_the_scan_with_an_error_that_names_what_is_wrong(kloset: Kloset, what: str) -> None:
    assert RECORDS[what] in refused(kloset, mistakes.Records, what=what)


ITERABLE = "it has to be a generator of Record and Unreadable, or an iterable"


def test_a_scan_that_returns_no_iterable_says_so(kloset: Kloset) -> None:
    assert refused(kloset, mistakes.ReturnsNothing) == f"TypeError: what scan returned is None: {ITERABLE}"
    one = refused(kloset, mistakes.ReturnsOne)
    assert one.startswith("TypeError: what scan returned is Record('/x', ") and one.endswith(ITERABLE)


def test_what_a_generator_returns_is_not_lost_in_silence(kloset: Kloset) -> None:
    text = refused(kloset, mistakes.YieldsAndReturns, what="return")
    assert text.startswith("TypeError: scan yields, and returns [Record('/lost', ")
    assert text.endswith(": yield that, or use yield from")
    assert "/x" in kloset.importer(mistakes.YieldsAndReturns, "test://me").tree()


def test_a_class_that_is_wrong_is_refused_when_it_is_made(kloset: Kloset) -> None:
    def refused_by(start: type[ImporterHost | ExporterHost], connector: type[Importer | Exporter]) -> str:
        with pytest.raises(HostError) as failed:
            start(connector, "test:///me")
        return failed.value.text

    assert refused_by(ImporterHost, mistakes.NoScan).startswith("TypeError: Can't instantiate abstract class NoScan")
    flags = "TypeError: Flagged.flags is 'STREAM': it has to be Flags, as Flags.STREAM"
    assert refused_by(ImporterHost, mistakes.Flagged) == flags
    root = "TypeError: Rooted.root is 7: it has to be a str, a pathlib.Path, or None"
    assert refused_by(ImporterHost, mistakes.Rooted) == root
    concurrency = "TypeError: MakesDirectories.concurrency is '4': it has to be a whole number"
    assert refused_by(ExporterHost, mistakes.MakesDirectories) == concurrency


def test_false_is_no_answer_of_a_method_that_has_none(kloset: Kloset) -> None:
    importer = kloset.importer(mistakes.CannotBeReached, "test://me")
    with pytest.raises(HostError, match="TypeError: ping returned False: where it fails it has to raise an exception"):
        importer.ping()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda store: store.open(), "TypeError: what open returned is None: it has to be the bytes that create was given"),
        (lambda store: store.mode(), "ValueError: what mode returned is 99: it has to be a Mode"),
        (lambda store: store.size(), "ValueError: what size returned is -1: it has to be a number of bytes, or None"),
        (
            lambda store: store.list(Resource.STATE),
            "TypeError: what list, or get_states, returned is None: it has to be the names of",
        ),
        (lambda store: store.get(Resource.STATE, MAC), f"ValueError: FileSlice.offset is -1: {NUMBER}"),
        (
            lambda store: store.put(Resource.STATE, MAC, b"x"),
            "TypeError: put, or put_state, returned False: where it fails it has to",
        ),
        (
            lambda store: store.delete(Resource.STATE, MAC),
            "TypeError: delete, or delete_state, has a yield in it, which makes it a",
        ),
    ],
    ids=["open", "mode", "size", "list", "get", "put", "delete"],
)
def test_what_a_store_returns_is_named_where_it_is_wrong(kloset: Kloset, call, text: str) -> None:  # type: ignore[no-untyped-def]
    store = kloset.store(mistakes.Returns, "test://me")
    with pytest.raises(HostError) as failed:
        call(store)
    assert text in failed.value.text


def test_copy_to_says_what_it_takes(kloset: Kloset) -> None:
    store = kloset.store(mistakes.CopiesToAPath, "test://me")
    with pytest.raises(HostError, match="it takes a file that was opened with mode 'wb', or a descriptor"):
        store.put(Resource.STATE, MAC, b"x")


def test_a_store_file_with_a_yield_in_it_has_not_run(kloset: Kloset) -> None:
    exporter = kloset.exporter(mistakes.Writes, "test:///x")
    failed = exporter.export([ROOT, Entry("/generator", FileInfo(size=1), b"x")])
    assert failed == {"/generator": "TypeError: store_file has a yield in it, which makes it a generator: nothing of it has run"}


def test_a_name_that_is_not_utf8_can_be_told_of(kloset: Kloset) -> None:
    found = {entry.path: entry.error for entry in kloset.importer(mistakes.NotUtf8, "test://me").scan()}
    assert found[r"/a\xff"] == "Input/output error"


def test_what_an_async_def_returns_may_be_iterated_over_asynchronously(kloset: Kloset) -> None:
    assert kloset.importer(mistakes.ALaterGenerator, "test://me").tree()["/x"].content == b"x"
    store = kloset.store(mistakes.ListsLater, "test://me")
    assert store.list(Resource.STATE) == [MAC]
    assert store.mode() == Mode.READ


def test_a_connector_that_does_not_start_has_what_it_wrote_in_the_notes() -> None:
    with pytest.raises(HostError) as failed:
        StoreHost(mistakes.NoStore, "test://me")  # type: ignore[arg-type]
    (said,) = failed.value.__notes__
    assert said.startswith("Traceback") and said.endswith("is no class that inherits Store")


def test_options_that_are_no_texts_are_named() -> None:
    with pytest.raises(TypeError, match="option 'limit' has the value 7: names and values are str"):
        ImporterHost(mistakes.NotUtf8, "test://me", {"limit": 7})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match=r"only was given \['token'\]: it takes names, as only"):
        Config("test", {"location": "test://me"}).only(["token"])  # type: ignore[arg-type]
