"""Connectors to be tested: what they do is told by their options."""

import asyncio
import gc
import gzip
import hashlib
import io
import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from kloset_sdk import (
    Config,
    Exporter,
    FileInfo,
    FileSlice,
    Importer,
    Link,
    NotFoundError,
    Object,
    Range,
    Record,
    Resource,
    Source,
    Store,
    TruncatedError,
    Unreadable,
)

TEXT = b"some content, " * 10_000


def records() -> Iterator[Record | Unreadable]:
    yield Record.file("/one", b"1")
    yield Unreadable("/two", PermissionError(13, "Permission denied", "/two"))
    yield Record.file("/three", b"333")


class Generates(Importer):
    def scan(self) -> Iterator[Record | Unreadable]:
        return records()


class Lists(Importer):
    def scan(self) -> list[Record | Unreadable]:
        return list(records())


class GeneratesLater(Importer):
    async def scan(self) -> AsyncIterator[Record | Unreadable]:
        for record in records():
            await asyncio.sleep(0)
            yield record


class ListsLater(Importer):
    async def scan(self) -> list[Record | Unreadable]:
        await asyncio.sleep(0)
        return list(records())


class ReadsInto:
    def __init__(self) -> None:
        self.file = io.BytesIO(TEXT)

    def readinto(self, buffer: memoryview) -> int:
        return self.file.readinto(buffer[:1000])


class Reads:
    def __init__(self) -> None:
        self.file = io.BytesIO(TEXT)

    def read(self, size: int) -> bytearray:
        return bytearray(self.file.read(min(size, 1000)))


class ReadsLater(Reads):
    async def read(self, size: int) -> bytearray:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().read(size)


class Contents(Importer):
    """Every form of content, each of which is `TEXT`."""

    def __init__(self, config: Config) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "text"
        self.path.write_bytes(TEXT)
        with gzip.open(self.folder / "text.gz", "wb") as file:
            file.write(TEXT)

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def pieces(self) -> Iterator[bytes]:
        for at in range(0, len(TEXT), 999):
            yield TEXT[at : at + 999]

    async def later(self) -> bytes:
        await asyncio.sleep(0)
        return TEXT

    async def pieces_later(self) -> AsyncIterator[bytes]:
        for piece in self.pieces():
            await asyncio.sleep(0)
            yield piece

    def half_read(self) -> io.BufferedReader:
        (self.folder / "with a head").write_bytes(b"head" + TEXT)
        file = (self.folder / "with a head").open("rb")
        assert file.read(4) == b"head"
        return file

    def child(self) -> object:
        return subprocess.Popen(["cat", self.path], stdout=subprocess.PIPE).stdout

    def scan(self) -> Iterator[Record]:
        forms: dict[str, object] = {
            "bytes": TEXT,
            "bytearray": bytearray(TEXT),
            "memoryview": memoryview(TEXT),
            "path": self.path,
            "slice": FileSlice(self.path),
            "file": self.path.open("rb"),
            "raw file": self.path.open("rb", buffering=0),
            "a file that was read from": self.half_read(),
            "function": lambda: TEXT,
            "function of a file": lambda: self.path.open("rb"),
            "function of a function": lambda: lambda: self.path,
            "bytesio": io.BytesIO(TEXT),
            "gzip": lambda: gzip.open(self.folder / "text.gz"),
            "readinto": ReadsInto,
            "read": Reads,
            "read later": ReadsLater,
            "iterator": self.pieces,
            "list": lambda: list(self.pieces()),
            "async def": self.later,
            "async iterator": self.pieces_later,
            "child": self.child,
        }
        for name, content in forms.items():
            yield Record.file(f"/{name}", content)  # type: ignore[arg-type]
        yield Record.file("/part", FileSlice(self.path, 5, 7))


class Yields(Importer):
    """Yields something wrong after a good record, and says whether its generator was closed."""

    def scan(self) -> Iterator[Record]:
        try:
            yield Record.file("/good", b"good")
            what = self.config["what"]
            if what == "nonsense":
                yield 7  # type: ignore[misc]
            if what == "size":
                yield Record.file("/x", b"", size="large")  # type: ignore[arg-type]
            if what == "path":
                yield Record.file("relative", b"")
            if what == "twice":
                yield Record.file("/good", b"good")
            raise AssertionError("it was asked to go on")
        finally:
            print("closed the generator")


class Failing(Exception):
    pass


def fail(error: str) -> None:
    match error:
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "system":
            raise PermissionError(13, "Permission denied", "/srv/x")
        case "own":
            raise NotFoundError("there is nothing")
        case "long":
            raise Failing("x" * 100_000)
        case "recursion":
            fail(error)
        case _:
            raise Failing("it failed: ≪no≫")


class Closes:
    """What is read from, and fails when it is closed, or read."""

    def __init__(self, fails: Callable[[str], None], read: str) -> None:
        self.fails = fails
        self.content: bytes | None = b"content"
        self.where = read

    def read(self, size: int) -> bytes:
        if self.where == "reader":
            self.fails("reader")
        read, self.content = self.content, None
        return read or b""

    def close(self) -> None:
        if self.where == "reader-close":
            self.fails("reader-close")


class Fails(Importer, Store, Exporter):
    """Fails in the place that the option ``where`` names."""

    def __init__(self, config: Config) -> None:
        self.where = config.get("where", "")
        self.error = config.get("error", "")
        self.fail("init")

    def fail(self, where: str) -> None:
        if self.where == where:
            fail(self.error)

    def close(self) -> None:
        self.fail("close")

    def ping(self) -> None:
        self.fail("ping")

    def scan(self) -> Iterator[Record]:
        self.fail("scan")
        yield Record.file("/a", self.opened)
        self.fail("generator")

    def opened(self) -> Closes:
        self.fail("content")
        return Closes(self.fail, self.where)

    def create(self, config: bytes) -> None:
        self.fail("create")

    def open(self) -> bytes:
        self.fail("open")
        return b""

    def get(self, object: Object, range: Range | None) -> bytes:
        self.fail("get")
        return b"object"

    def list(self, kind: Resource) -> list[bytes]:
        self.fail("list")
        return [b"short"] if self.where == "short names" else []

    def put(self, object: Object, source: Source) -> None:
        source.readall()
        self.fail("put")

    def create_directory(self, path: str, info: FileInfo) -> None:
        self.fail("create_directory")

    def store_file(self, path: str, info: FileInfo, source: Source) -> None:
        source.readall()
        self.fail("store_file")

    def set_permissions(self, path: str, info: FileInfo) -> None:
        self.fail("set_permissions")


class FailsLater(Importer):
    """The same where methods are asynchronous."""

    async def scan(self) -> AsyncIterator[Record]:
        where, error = self.config["where"], self.config.get("error", "")
        try:
            yield Record.file("/a", self.opened)
            if where == "generator":
                fail(error)
        finally:
            print("closed the generator")

    async def opened(self) -> bytes:
        if self.config["where"] == "content":
            fail(self.config.get("error", ""))
        return b"content"


class Takes(Exporter):
    """Takes files in every way, and says what it got."""

    concurrency = 1

    def create_directory(self, path: str, info: FileInfo) -> None:
        pass

    def set_permissions(self, path: str, info: FileInfo) -> None:
        pass

    def create_link(self, path: str, link: Link, info: FileInfo) -> None:
        print(f"link {path} -> {link.target}, {'hard' if link.hard else 'symbolic'}")

    def set_xattr(self, path: str, name: str, value: bytes) -> None:
        print(f"xattr {path} {name} {value!r}")

    def store_file(self, path: str, info: FileInfo, source: Source) -> None:
        way = path.removeprefix("/").replace(" ", "_")
        got = getattr(self, way)(source)
        print(f"took {path}: {len(got)} bytes, {hashlib.sha256(got).hexdigest()}, {info.size}, {info.mtime.isoformat()}")

    def read(self, source: Source) -> bytes:
        return source.read()

    def read_some(self, source: Source) -> bytes:
        got = b""
        while piece := source.read(1000):
            assert len(piece) <= 1000
            got += piece
        return got

    def readinto(self, source: Source) -> bytes:
        got, buffer = bytearray(), bytearray(777)
        while n := source.readinto(buffer):
            got += buffer[:n]
        return bytes(got)

    def copyfileobj(self, source: Source) -> bytes:
        to = io.BytesIO()
        shutil.copyfileobj(source, to)
        return to.getvalue()

    def buffered(self, source: Source) -> bytes:
        return io.BufferedReader(source).read()

    def pieces(self, source: Source) -> bytes:
        pieces = list(source.pieces())
        assert all(piece.readonly for piece in pieces)
        return b"".join(pieces)

    def copy_to_a_file(self, source: Source) -> bytes:
        with tempfile.TemporaryFile() as file:
            file.write(b"head")
            assert source.copy_to(file) == file.tell() - 4
            file.seek(4)
            return file.read()

    def copy_to_a_descriptor(self, source: Source) -> bytes:
        with tempfile.TemporaryFile(buffering=0) as file:
            source.copy_to(file.fileno())
            file.seek(0)
            return file.readall()

    def copy_to_gzip(self, source: Source) -> bytes:
        to = io.BytesIO()
        with gzip.GzipFile(fileobj=to, mode="wb") as file:
            source.copy_to(file)
        return gzip.decompress(to.getvalue())

    def digest(self, source: Source) -> bytes:
        got = source.read(10)
        rest = hashlib.file_digest(source, "sha256")
        assert rest.digest() == hashlib.sha256(TEXT[len(got) :]).digest()
        return TEXT

    def nothing(self, source: Source) -> bytes:
        return b""

    def half(self, source: Source) -> bytes:
        return source.read(100)


class TakesLater(Takes):
    """The same where the method is asynchronous."""

    async def store_file(self, path: str, info: FileInfo, source: Source) -> None:  # type: ignore[override]
        got = bytearray()
        if path == "/pieces":
            async for piece in source:
                got += piece
        else:
            while some := await source.aread(1000):
                got += some
        print(f"took {path}: {len(got)} bytes, {hashlib.sha256(got).hexdigest()}")


class Keeps(Store):
    """A store in memory, with calls that tell of the process."""

    kept: dict[tuple[Resource, bytes], bytes]

    def __init__(self, config: Config) -> None:
        self.kept = {}
        self.local = threading.local()
        self.last: Source | None = None

    def create(self, config: bytes) -> None:
        self.config_ = config

    def open(self) -> bytes:
        return self.config_

    def put(self, object: Object, source: Source) -> None:
        self.last = source
        try:
            self.kept[object.kind, object.mac] = source.read()
        except TruncatedError as error:
            print(f"broken off: {error}")
            raise

    def get(self, object: Object, range: Range | None) -> bytes:
        kept = self.kept.get((object.kind, object.mac))
        if kept is None:
            raise NotFoundError(str(object))
        return kept if range is None else kept[range.offset : range.offset + range.length]

    def list(self, kind: Resource) -> list[bytes]:
        return [mac for of, mac in self.kept if of == kind]

    def delete(self, object: Object) -> None:
        if self.kept.pop((object.kind, object.mac), None) is None:
            raise NotFoundError(str(object))


class Counts(Keeps):
    """Tells how much there is of what calls could leave behind."""

    def open(self) -> bytes:
        gc.collect()
        counts = {
            "objects": len(gc.get_objects()),
            "references": sum(map(sys.getrefcount, gc.get_objects())),
            "blocks of memory": sys.getallocatedblocks(),
            "threads": len(os.listdir("/proc/self/task")),
            "threads known to Python": threading.active_count(),
            "descriptors": len(os.listdir("/proc/self/fd")),
        }
        return json.dumps(counts).encode()


class UsesLastSource(Keeps):
    def size(self) -> int:
        assert self.last is not None
        return len(self.last.read(1))


class HasThreadLocals(Keeps):
    """Its size is how many calls its thread has seen."""

    def size(self) -> int:
        calls: int = getattr(self.local, "calls", 0) + 1
        self.local.calls = calls
        return calls


class AsksOthers(Store):
    """Named calls, some of them asynchronous."""

    def __init__(self, config: Config) -> None:
        self.states: dict[bytes, bytes] = {}

    async def create(self, config: bytes) -> None:
        await asyncio.sleep(0)

    async def open(self) -> bytes:
        return b"later"

    async def get_states(self) -> list[bytes]:
        return list(self.states)

    async def put_state(self, mac: bytes, source: Source) -> None:
        self.states[mac] = b"".join([bytes(piece) async for piece in source])

    async def get_state(self, mac: bytes) -> bytes:
        await asyncio.sleep(0)
        return self.states[mac]


class Forks(Importer):
    """Forks in a call, prints, reads standard input, and starts others."""

    def scan(self) -> Iterator[Record]:
        print("a line on standard output")
        yield Record.file("/stdin", sys.stdin.read().encode())
        yield Record.file("/fork", self.fork)
        yield Record.file("/returns", self.fork_that_returns)
        yield Record.file("/child", lambda: subprocess.run(["echo", "child"], check=True, capture_output=True).stdout)
        for method in ("fork", "spawn"):
            yield Record.file(f"/multiprocessing {method}", self.multiprocessing(method))

    def fork(self) -> bytes:
        if (child := os.fork()) == 0:
            os._exit(7)
        return b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def fork_that_returns(self) -> bytes:
        child = os.fork()
        return b"child" if child == 0 else b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def multiprocessing(self, method: str) -> Callable[[], bytes]:
        def run() -> bytes:
            with multiprocessing.get_context(method).Pool(2) as pool:
                return b"%d" % sum(pool.map(square, range(10)))

        return run


class LeavesAChild(Importer):
    """Leaves a forked child behind, which outlives it."""

    def scan(self) -> Iterator[Record]:
        if os.fork() == 0:
            with Path(self.config["pid"]).open("w") as file:
                file.write(str(os.getpid()))
            os.execvp("sleep", ["sleep", "600"]) if self.config.flag("exec") else threading.Event().wait(600)
            os._exit(0)
        yield Record.file("/a", b"a")


class Hangs(Importer):
    """Never returns from its scan."""

    def scan(self) -> Iterator[Record]:
        written = Path(self.config["pid"] + ".new")
        written.write_text(str(os.getpid()))
        written.rename(self.config["pid"])
        while True:
            threading.Event().wait(1)


def square(number: int) -> int:
    return number * number


class Many(Importer):
    """Many records with long paths, each with a content that Python code gives."""

    def scan(self) -> Iterator[Record]:
        for number in range(self.config.parse("count", int, 0)):
            yield Record.file(f"/{number:01000}", lambda number=number: b"%d" % number)  # type: ignore[misc]


class Logs(Importer):
    def scan(self) -> Iterator[Record]:
        log = logging.getLogger("subject")
        log.debug("a debug line")
        log.info("an info line")
        log.warning("the token is %s", self.config["token"])
        yield Record.file("/a", b"")


class Asks(Importer):
    """Answers with what it was told."""

    def __init__(self, config: Config) -> None:
        config.only("speed", "deep", "token", "needs")
        self.speed = config.parse("speed", int, 3)
        self.deep = config.flag("deep")
        if "needs" in config:
            config[config["needs"]]
        self.told = dict(config)
        self.host = config.host
        self.origin = "there"
        self.root = Path("/srv")
        self.type = "asked"

    def scan(self) -> Iterator[Record]:
        yield Record.file("/srv/told", repr((self.told, self.speed, self.deep, self.host.os)).encode())


class Acknowledges(Importer):
    def scan(self) -> Iterator[Record]:
        yield Record.file("/a", b"a", xattrs={"user.color": b"red"})
        yield Record.symlink("/l", "a", mtime=1)
        yield Record.directory("/d", mode=0o700)

    def acknowledge(self, path: str, error: str | None, xattr: str | None) -> None:
        print(f"acknowledged {path} {xattr} {error}")
