"""Write connectors for Plakar, the open-source backup program.

A connector is an `Importer` (a backup reads from it), an `Exporter` (a restore writes to it) or a `Store` (it keeps
repositories). Write the few methods that know your data; `main` does the rest:

    from kloset_sdk import Importer, Record, main

    class Notes(Importer):
        def __init__(self, config):
            self.api = Client(config["token"])

        def scan(self):
            for page in self.api.pages():
                yield Record.file(f"/{page.title}.md", size=page.size, mtime=page.edited, content=page.fetch)

    main(importer=Notes)

Every method may be an ``async def`` as well. Whatever is raised in one is an error of that call: see `kloset_sdk.errors`. What a
content may be says `kloset_sdk.content`, and how connectors are tested `kloset_sdk.testing`.
"""

from ._require import require_lock

require_lock()

from ._native import VERSION as __version__  # noqa: E402
from .config import Config, HostOptions  # noqa: E402
from .content import Content, FileSlice  # noqa: E402
from .errors import (  # noqa: E402
    AlreadyExistsError,
    Cancelled,
    ConfigError,
    DeniedError,
    Error,
    MissingOptionError,
    NotFoundError,
    NotSupportedError,
    TruncatedError,
    naming,
)
from .exporter import Exporter, Link  # noqa: E402
from .importer import Importer  # noqa: E402
from .location import Flags  # noqa: E402
from .program import main  # noqa: E402
from .record import FileInfo, Record, Unreadable  # noqa: E402
from .source import Source  # noqa: E402
from .store import Mode, Object, Range, Resource, Store  # noqa: E402

__all__ = [
    "AlreadyExistsError",
    "Cancelled",
    "Config",
    "ConfigError",
    "Content",
    "DeniedError",
    "Error",
    "Exporter",
    "FileInfo",
    "FileSlice",
    "Flags",
    "HostOptions",
    "Importer",
    "Link",
    "MissingOptionError",
    "Mode",
    "NotFoundError",
    "NotSupportedError",
    "Object",
    "Range",
    "Record",
    "Resource",
    "Source",
    "Store",
    "TruncatedError",
    "Unreadable",
    "__version__",
    "main",
    "naming",
]
