"""The plugin for pytest: the fixture ``kloset``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import pytest

from .host import Connector, ExporterHost, ImporterHost, StoreHost

T = TypeVar("T", ImporterHost, ExporterHost, StoreHost)


class Kloset:
    """Starts connectors; what it has started ends with the test, which fails where one does not end well."""

    def __init__(self) -> None:
        self._started: list[ImporterHost | ExporterHost | StoreHost] = []

    def importer(self, connector: Connector, location: str, *, generation: str = "1.1", **options: str) -> ImporterHost:
        """Start an importer with these options."""
        return self._keep(ImporterHost(connector, location, options, generation=generation))

    def exporter(self, connector: Connector, location: str, *, generation: str = "1.1", **options: str) -> ExporterHost:
        """Start an exporter with these options."""
        return self._keep(ExporterHost(connector, location, options, generation=generation))

    def store(self, connector: Connector, location: str, *, generation: str = "1.1", **options: str) -> StoreHost:
        """Start a store with these options."""
        return self._keep(StoreHost(connector, location, options, generation=generation))

    def _keep(self, started: T) -> T:
        self._started.append(started)
        return started

    def end(self) -> None:
        """End everything that was started."""
        started, self._started = self._started, []
        for host in started:
            host.end()


@pytest.fixture
def kloset() -> Iterator[Kloset]:
    """Start connectors as Plakar does."""
    starter = Kloset()
    yield starter
    starter.end()
