"""The connector by which the Python package is measured: importer, exporter and store with made-up content.

What it has to do is said in ``tests/grpc-go/README.md``; the plain Go connector there, the peer, does the same.
"""

import time
from collections.abc import Iterator

import kloset_sdk
from kloset_sdk import Config, FileInfo, Link, Mode, Object, Range, Record, Resource, Source, main

BLOCK = 1 << 20
MODIFIED = 1_700_000_000

low = bytes(range(256))
PATTERN = memoryview(b"".join(low.translate(bytes(i ^ high & 255 ^ high >> 8 for i in range(256))) for high in range(BLOCK >> 8)))
"""The byte at `i` is the low eight bits of ``i ^ i >> 8 ^ i >> 16``."""


class Settings:
    """How much is to be made up."""

    def __init__(self, config: Config) -> None:
        names = ("files", "size", "records", "macs", "latency_ms")
        config.only(*names)
        self.files, self.size, self.records, self.macs, latency_ms = (config.parse(name, int, 0) for name in names)
        self.latency = latency_ms / 1000

    def take_time(self) -> None:
        """What is far away takes time."""
        if self.latency:
            time.sleep(self.latency)


class Content:
    """The block over and over, from `at` to `end`. It is copied once, as what comes from a disk or a network is."""

    def __init__(self, at: int, end: int) -> None:
        self.at = at
        self.end = end

    def readinto(self, buffer: memoryview) -> int:
        start = self.at % BLOCK
        n = max(0, min(len(buffer), self.end - self.at, BLOCK - start))
        buffer[:n] = PATTERN[start : start + n]
        self.at += n
        return n


class Importer(kloset_sdk.Importer):
    """Files whose names are made up while it scans."""

    root = "/"

    def __init__(self, config: Config) -> None:
        self.settings = Settings(config)

    def scan(self) -> Iterator[Record]:
        settings = self.settings
        size = settings.size

        def content() -> Content:
            settings.take_time()
            return Content(0, size)

        def empty() -> Content:
            return Content(0, 0)

        yield Record.directory("/", mtime=MODIFIED)
        yield Record.directory("/f", mtime=MODIFIED)
        for number in range(settings.files):
            yield Record.file(f"/f/{number:07}", content, size=size, mtime=MODIFIED)
        if settings.records:
            yield Record.directory("/r", mtime=MODIFIED)
        for number in range(settings.records):
            yield Record.file(f"/r/{number:07}", empty, size=0, mtime=MODIFIED)


class Exporter(kloset_sdk.Exporter):
    """Takes everything, keeps nothing."""

    root = "/"

    def __init__(self, config: Config) -> None:
        self.settings = Settings(config)

    def create_directory(self, path: str, info: FileInfo) -> None:
        pass

    def store_file(self, path: str, info: FileInfo, source: Source) -> None:
        for _ in source.pieces():
            pass
        self.settings.take_time()

    def set_permissions(self, path: str, info: FileInfo) -> None:
        pass

    def create_link(self, path: str, link: Link, info: FileInfo) -> None:
        pass

    def create_special(self, path: str, info: FileInfo) -> None:
        pass

    def set_xattr(self, path: str, name: str, value: bytes) -> None:
        pass


class Store(kloset_sdk.Store):
    """Has every object, keeps none."""

    root = "/"

    def __init__(self, config: Config) -> None:
        self.settings = Settings(config)

    def create(self, config: bytes) -> None:
        pass

    def open(self) -> bytes:
        return b""

    def mode(self) -> Mode:
        return Mode.READ_WRITE

    def list(self, kind: Resource) -> Iterator[bytes]:
        return (number.to_bytes(8) + bytes(24) for number in range(self.settings.macs))

    def put(self, object: Object, source: Source) -> None:
        for _ in source.pieces():
            pass

    def get(self, object: Object, range: Range | None) -> Content:
        self.settings.take_time()
        size = self.settings.size
        return Content(0, size) if range is None else Content(range.offset, min(size, range.offset + range.length))

    def delete(self, object: Object) -> None:
        pass


main(name="bench-python", importer=Importer, exporter=Exporter, store=Store)
