"""What every connector has to do, as tests to be inherited.

Each takes the class, or the command line of an executable, in `connector`. Where it is to be tried is the fixture ``location``,
which can be overridden; the default is ``test://me`` for importers, and a fresh folder for the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
from kloset_sdk import FileInfo, Mode, Range, Record, Resource

from .host import Connector, Entry, ExporterHost, HostError, ImporterHost, StoreHost

GENERATIONS = ("1.1", "1.0")
"""Of the protocol: plakar 1.1 speaks the one, plakar 1.0 the other."""


def _content(size: int) -> bytes:
    """Bytes in which no piece is like another."""
    blocks = (hashlib.sha256(number.to_bytes(8)).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


class Suite:
    """What is common to the three: what is tried, and where. A suite of one's own sets `connector`, and what else it needs."""

    connector: ClassVar[Connector]
    """The class under test, or a command line."""
    protocol: ClassVar[str] = "test"
    """The protocol in its locations."""
    options: ClassVar[Mapping[str, str]] = {}
    """The user's options."""
    accepts_unknown_options: ClassVar[bool] = False
    """The connector takes options that it does not know."""

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        """Where it is tried."""
        return f"{self.protocol}://{tmp_path}/place"

    @pytest.fixture(params=GENERATIONS)
    def generation(self, request: pytest.FixtureRequest) -> str:
        """The generation of the protocol."""
        generation: str = request.param
        return generation

    def _refuses_unknown_options(self, host: type, location: str) -> None:
        if self.accepts_unknown_options:
            pytest.skip("it accepts unknown options")
        with pytest.raises(HostError, match="no_such_option"):
            host(self.connector, location, {**self.options, "no_such_option": "x"}).end()


class ImporterSuite(Suite):
    """What every importer has to do."""

    @pytest.fixture
    def location(self) -> str:
        """Where it is tried."""
        return f"{self.protocol}://me"

    @pytest.fixture
    def importer(self, location: str, generation: str) -> ImporterHost:
        """The importer, started."""
        return ImporterHost(self.connector, location, self.options, generation=generation)

    def test_it_can_be_reached_and_ends_when_it_is_closed(self, importer: ImporterHost) -> None:
        """`ping` and `close`."""
        importer.ping()
        importer.end()

    def test_everything_that_it_finds_can_be_read(self, importer: ImporterHost) -> None:
        """Every content opens, and is as large as was said."""
        found = importer.tree()
        importer.end()
        assert found, "it finds nothing: give the suite a location with something in it"
        for entry in found.values():
            if entry.content is not None and entry.info is not None and entry.info.size is not None:
                assert len(entry.content) == entry.info.size, f"{entry.path} has another size than its record says"

    def test_everything_lies_at_or_below_the_root_or_above_it(self, importer: ImporterHost) -> None:
        """Paths are absolute and clean."""
        root = importer.location.root
        found = importer.tree()
        importer.end()
        inside = [path for path in found if _is_at_or_below(path, root)]
        above = [path for path in found if path == "/" or root.startswith(path + "/")]
        assert sorted({*inside, *above}) == sorted(found)

    def test_a_second_scan_finds_the_same(self, location: str, generation: str) -> None:
        """Or the next backup would read everything again."""
        runs = []
        for _ in range(2):
            with ImporterHost(self.connector, location, self.options, generation=generation) as importer:
                root = importer.location.root
                runs.append({entry.path: (entry.info, entry.content, entry.target) for entry in importer.scan()})
        # What lies above the root is not the importer's, and may change meanwhile.
        one, two = ({path: found for path, found in run.items() if _is_at_or_below(path, root)} for run in runs)
        assert one == two

    def test_an_unknown_option_is_refused_by_name(self, location: str) -> None:
        """Or a misspelt one would be passed over in silence."""
        self._refuses_unknown_options(ImporterHost, location)


def _is_at_or_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


class ExporterSuite(Suite):
    """What every exporter has to do. Override `restored` to have compared what was written."""

    def restored(self, location: str) -> dict[str, bytes] | None:
        """The files that are at a location, by their paths below it; None where they cannot be looked at."""
        return None

    @pytest.fixture
    def exporter(self, location: str, generation: str) -> ExporterHost:
        """The exporter, started."""
        return ExporterHost(self.connector, location, self.options, generation=generation)

    def _compare(self, location: str, expected: dict[str, bytes]) -> None:
        there = self.restored(location)
        if there is None:
            pytest.skip("restored is not written: what is there cannot be compared")
        assert there == expected

    def test_it_can_be_reached_and_ends_when_it_is_closed(self, exporter: ExporterHost) -> None:
        """`ping` and `close`."""
        exporter.ping()
        exporter.end()

    def test_files_of_all_sizes_are_stored(self, exporter: ExporterHost, location: str) -> None:
        """Empty ones, small ones, and those that come in several pieces."""
        files = {f"/a folder/{size}": _content(size) for size in (0, 1, 4096, 1 << 20, (3 << 20) + 1)}
        directory = Record.directory("/").info
        entries = [Entry("/", directory), Entry("/a folder", directory)]
        entries += [_file(path, content) for path, content in files.items()]
        assert exporter.export(entries) == {}
        exporter.end()
        self._compare(location, files)

    def test_nothing_is_kept_of_a_file_that_breaks_off(self, exporter: ExporterHost, location: str) -> None:
        """Or a restore that failed would look like one that did not."""
        whole, half = _content(5000), _content(2 << 20)
        broken = _file("/half", half)
        broken.breaks_off = True
        assert broken.info is not None
        broken.info.size = 3 << 20
        failed: dict[str, str] | None
        try:
            failed = exporter.export([Entry("/", Record.directory("/").info), _file("/whole", whole), broken])
        except HostError:
            failed = None
        exporter.end()
        # A host of generation 1.0 does not wait for what becomes of it.
        assert failed is None or set(failed) <= {"/half"}
        self._compare(location, {"/whole": whole})

    def test_an_unknown_option_is_refused_by_name(self, location: str) -> None:
        """Or a misspelt one would be passed over in silence."""
        self._refuses_unknown_options(ExporterHost, location)


def _file(path: str, content: bytes) -> Entry:
    return Entry(path, FileInfo(size=len(content), mtime_ns=1_600_000_000_123_456_789), content)


class StoreSuite(Suite):
    """What every store has to do."""

    CONFIG: ClassVar[bytes] = b"a repository's configuration \x00\xff" * 10

    @pytest.fixture
    def store(self, location: str, generation: str) -> StoreHost:
        """The store, created and opened."""
        store = StoreHost(self.connector, location, self.options, generation=generation)
        store.create(self.CONFIG)
        return store

    def test_another_process_gets_the_configuration_as_it_was_created(
        self, store: StoreHost, location: str, generation: str
    ) -> None:
        """`create` and `open`."""
        store.end()
        with StoreHost(self.connector, location, self.options, generation=generation) as again:
            assert again.open() == self.CONFIG
            assert again.mode() in (Mode.READ, Mode.READ_WRITE)
            size = again.size()
            assert size is None or size >= 0

    def test_a_store_that_was_never_created_is_not_found(self, location: str, generation: str) -> None:
        """The host tells it from other failures by how the text begins."""
        store = StoreHost(self.connector, location, self.options, generation=generation)
        with pytest.raises(HostError) as failed:
            store.open()
        store.end()
        assert failed.value.text.startswith("not found: "), "raise NotFoundError"

    def test_a_store_is_not_created_twice(self, store: StoreHost, location: str, generation: str) -> None:
        """Or a repository would be lost."""
        store.end()
        with StoreHost(self.connector, location, self.options, generation=generation) as again, pytest.raises(HostError):
            again.create(b"another")
        with StoreHost(self.connector, location, self.options, generation=generation) as again:
            assert again.open() == self.CONFIG

    def test_objects_of_all_kinds_and_sizes_come_back_as_they_were(self, store: StoreHost) -> None:
        """`put`, `list` and `get`."""
        objects = {}
        for kind in store.kinds:
            assert store.list(kind) == []
            for size in (1, 4096, 1 << 20, (2 << 20) + 1):
                mac = hashlib.sha256(b"%d %d" % (kind, size)).digest()
                objects[kind, mac] = _content(size)
                assert store.put(kind, mac, objects[kind, mac]) in (size, 0)
        for kind in store.kinds:
            assert sorted(store.list(kind)) == sorted(mac for of, mac in objects if of == kind)
        for (kind, mac), content in objects.items():
            assert store.get(kind, mac) == content
        store.end()

    def test_kinds_that_share_a_name_are_different_objects(self, store: StoreHost) -> None:
        """Each kind has a space of names of its own."""
        mac = bytes(range(32))
        for kind in store.kinds:
            store.put(kind, mac, b"of kind %d" % kind)
        for kind in store.kinds:
            assert store.get(kind, mac) == b"of kind %d" % kind
            assert store.list(kind) == [mac]
        store.end()

    def test_a_part_of_an_object_is_what_is_there(self, store: StoreHost) -> None:
        """Also where it goes past the end."""
        mac, content = bytes(32), _content(100_000)
        store.put(Resource.PACKFILE, mac, content)
        for offset, length in ((0, 1), (0, 100_000), (1, 99_999), (99_999, 1), (50_000, 4096), (99_990, 100)):
            part = store.get(Resource.PACKFILE, mac, Range(offset, length))
            assert part == content[offset : offset + length], f"offset {offset}, length {length}"
        store.end()

    def test_an_object_that_was_deleted_is_not_found(self, store: StoreHost) -> None:
        """Nor listed."""
        kept, gone = bytes(32), bytes(31) + b"x"
        for mac in (kept, gone):
            store.put(Resource.STATE, mac, b"state")
        store.delete(Resource.STATE, gone)
        assert store.list(Resource.STATE) == [kept]
        for mac in (gone, b"n" * 32):
            with pytest.raises(HostError) as failed:
                store.get(Resource.STATE, mac)
            assert failed.value.text.startswith("not found: "), "raise NotFoundError"
        store.end()

    def test_nothing_is_kept_of_a_put_that_breaks_off(self, store: StoreHost) -> None:
        """An object that is listed is whole: the host believes it."""
        mac = b"h" * 32
        with pytest.raises(HostError):
            store.put(Resource.PACKFILE, mac, _content(3 << 20), breaks_off=True)
        # The connector finds out in its own time; another call after it is answered later.
        store.put(Resource.PACKFILE, b"w" * 32, b"whole")
        assert store.list(Resource.PACKFILE) == [b"w" * 32]
        content = _content(4096)
        store.put(Resource.PACKFILE, mac, content)
        assert store.get(Resource.PACKFILE, mac) == content
        store.end()

    def test_objects_go_in_and_out_side_by_side(self, store: StoreHost) -> None:
        """Calls come at once, also for one kind."""

        def put_and_get(number: int) -> bool:
            mac, content = number.to_bytes(32), _content(1000 * number)
            store.put(Resource.PACKFILE, mac, content)
            return store.get(Resource.PACKFILE, mac) == content

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(put_and_get, range(1, 33)))
        assert len(store.list(Resource.PACKFILE)) == 32
        store.end()

    def test_an_unknown_option_is_refused_by_name(self, location: str) -> None:
        """Or a misspelt one would be passed over in silence."""
        self._refuses_unknown_options(StoreHost, location)
