"""Test connectors over the real wire, with pytest.

`ImporterHost`, `ExporterHost` and `StoreHost` play Plakar: each starts the connector as Plakar does, a process with two pipes,
and makes its calls. The fixture ``kloset`` starts and ends them:

    def test_two_notes(kloset):
        found = kloset.importer(Notes, "notes://me", token="x").tree()
        assert found["/first.md"].content == b"..."

The suites hold the tests that every connector has to pass, to be inherited:

    class TestNotes(ImporterSuite):
        connector = Notes
        options = {"token": "x"}

`check` runs the conformance suite, ``kloset-sdk check``, on a class.
"""

from .checks import check
from .host import Entry, ExporterHost, Host, HostError, ImporterHost, Location, StoreHost
from .plugin import Kloset
from .suites import ExporterSuite, ImporterSuite, StoreSuite, Suite

__all__ = [
    "Entry",
    "ExporterHost",
    "ExporterSuite",
    "Host",
    "HostError",
    "ImporterHost",
    "ImporterSuite",
    "Kloset",
    "Location",
    "StoreHost",
    "StoreSuite",
    "Suite",
    "check",
]
