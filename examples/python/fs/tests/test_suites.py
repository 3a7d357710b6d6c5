"""What every connector has to do, done by this one."""

from pathlib import Path

import pytest
from kloset_sdk.testing import ExporterSuite, ImporterSuite, StoreSuite

from fs_python.exporter import Exporter
from fs_python.importer import Importer
from fs_python.store import Store


class TestImporter(ImporterSuite):
    connector = Importer

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_bytes(bytes(range(256)) * 5000)
        (tmp_path / "empty").touch()
        (tmp_path / "link").symlink_to("folder/file")
        return f"fspython://{tmp_path}"


class TestExporter(ExporterSuite):
    connector = Exporter

    def restored(self, location: str) -> dict[str, bytes]:
        root = Path(location.removeprefix("test://"))
        return {f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()}


class TestStore(StoreSuite):
    connector = Store
