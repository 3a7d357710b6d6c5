"""Connectors whose authors have made a mistake, each a different one: which, says the option ``what``."""

# mypy: ignore-errors

import datetime
import io
import os
from pathlib import Path

from kloset_sdk import Exporter, FileInfo, FileSlice, Flags, Importer, Mode, NotFoundError, Record, Store, Unreadable


class Gives:
    """Whose `read` or `readinto` returns what it was made with."""

    def __init__(self, method, result):
        setattr(self, method, lambda _: result)


class BytesPath(os.PathLike):
    def __fspath__(self):
        return b"/x"


class Surrogate(os.PathLike):
    def __fspath__(self):
        return "/\udcff"


def of_record(**fields):
    record = Record.file("/x", b"")
    for name, value in fields.items():
        setattr(record, name, value)
    return record


CONTENTS = {
    "offset": FileSlice("/x", -1),
    "length": FileSlice("/x", 0, -5),
    "text offset": FileSlice("/x", "3"),
    "fraction": FileSlice("/x", 0, 3.5),
    "huge": FileSlice("/x", 1 << 70),
    "number path": FileSlice(7),
    "no path": FileSlice(None),
    "bytes path": FileSlice(b"/x"),
    "absent": Path("/absent/file"),
    "number": 7,
    "text": "text",
    "text file": io.StringIO("text"),
    "texts": ["a"],
    "numbers": [1, 2],
    "mapping": {"a": 1},
    "read text": Gives("read", "text"),
    "read number": Gives("read", 7),
    "read nothing": Gives("read", None),
    "readinto negative": Gives("readinto", -1),
    "readinto text": Gives("readinto", "x"),
    "bytes path object": BytesPath(),
    "argument": lambda a: a,
}

RECORDS = {
    "path number": lambda: Record.file(7, b""),
    "path bytes": lambda: Record.file(b"/x", b""),
    "path bytes object": lambda: Record.file(BytesPath(), b""),
    "path not UTF-8": lambda: Record.file(Surrogate(), b""),
    "from bytes": lambda: Record.from_path(b"/etc"),
    "slice": lambda: Record.file("/x", FileSlice("/x", -1)),
    "size negative": lambda: Record.file("/x", b"", size=-1),
    "size text": lambda: Record.file("/x", b"", size="3"),
    "size huge": lambda: Record.file("/x", b"", size=1 << 70),
    "mode text": lambda: Record.file("/x", b"", mode="0644"),
    "mode without type": lambda: Record("/x", FileInfo(mode=0o644), content=b""),
    "mtime text": lambda: Record.file("/x", b"", mtime="2020-01-01"),
    "mtime date": lambda: Record.directory("/x", mtime=datetime.date(2020, 1, 1)),
    "mtime nan": lambda: Record.file("/x", b"", mtime=float("nan")),
    "mtime huge": lambda: Record.file("/x", b"", mtime=10**30),
    "uid negative": lambda: Record.file("/x", b"", uid=-1),
    "user bytes": lambda: Record.file("/x", b"", user=b"me"),
    "info none": lambda: of_record(info=None),
    "info stat": lambda: of_record(info=os.stat("/")),
    "target none": lambda: Record.symlink("/x", None),
    "target not UTF-8": lambda: Record.symlink("/x", "\udcff"),
    "xattrs list": lambda: of_record(xattrs=["user.a"]),
    "xattrs text": lambda: of_record(xattrs={"user.a": "red"}),
    "nothing": lambda: None,
    "class": lambda: Record,
    "unreadable none": lambda: Unreadable("/x", None),
}


class Contents(Importer):
    def scan(self):
        for name, content in CONTENTS.items():
            # From a function it is looked at when it is opened, and the scan goes on.
            yield Record.file(f"/{name}", lambda content=content: content)


class Records(Importer):
    def scan(self):
        yield RECORDS[self.config["what"]]()


class ReturnsNothing(Importer):
    def scan(self):
        pass


class ReturnsOne(Importer):
    def scan(self):
        return Record.file("/x", b"")


class YieldsAndReturns(Importer):
    def scan(self):
        if self.config.get("what"):
            return [Record.file("/lost", b"")]
        yield Record.file("/x", b"")


class NoScan(Importer):
    pass


class Flagged(Importer):
    flags = "STREAM"

    def scan(self):
        return []


class Rooted(Flagged):
    flags = Flags.STREAM
    root = 7


class CannotBeReached(Rooted):
    root = None

    def ping(self):
        return False


class NotUtf8(Importer):
    """No mistake: this is what is yielded of names that are not UTF-8."""

    def scan(self):
        yield Unreadable("/a\udcff", OSError(5, "Input/output error", b"/a\xff"))


class ALaterGenerator(Importer):
    """No mistake: an `async def` that returns what is iterated over asynchronously."""

    async def scan(self):
        return self.found()

    async def found(self):
        yield Record.file("/x", b"x")


class Returns(Store):
    """Whose methods return what is wrong."""

    def create(self, config):
        pass

    def open(self):
        return None

    def mode(self):
        return 99

    def size(self):
        return -1

    def list(self, kind):
        return None

    def get(self, object, range):
        return FileSlice("/x", -1)

    def put(self, object, source):
        source.readall()
        return False

    def delete(self, object):
        yield object


class ListsLater(Returns):
    """No mistake: an asynchronous generator."""

    async def list(self, kind):
        yield b"m" * 32

    def mode(self):
        return Mode.READ


class CopiesToAPath(Returns):
    def put(self, object, source):
        source.copy_to(Path("/x"))


class Writes(Exporter):
    """Whose methods say that they have not worked, in a way that nobody would hear."""

    def create_directory(self, path, info):
        pass

    def store_file(self, path, info, source):
        if path == "/generator":
            source.readall()
            yield
        raise NotFoundError(path)

    def set_permissions(self, path, info):
        pass


class MakesDirectories(Writes):
    concurrency = "4"


class NoStore:
    pass
