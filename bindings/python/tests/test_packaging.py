"""Connectors that are packaged, and run where the library is not installed."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from kloset_sdk import packaging
from kloset_sdk.packaging import OWN_NATIVE, PackagingError
from kloset_sdk.testing.plugin import Kloset

MANIFEST = """\
name: notes
api_version: 1.1.0
connectors:
  - type: importer
    executable: ./notes
    args: [importer]
    protocols: [notes]
  - type: storage
    executable: ./notes
    args: [store]
    protocols: [notes]
"""

CODE = """\
from importlib.metadata import version
from importlib.resources import files

import kloset_sdk
from helper import greeting


class Notes(kloset_sdk.Importer):
    def scan(self):
        yield kloset_sdk.Record.file("/hello", greeting())
        yield kloset_sdk.Record.file("/data", files("helper").joinpath("data.txt").read_bytes())
        yield kloset_sdk.Record.file("/from", kloset_sdk.__file__.encode())


if __name__ == "__main__":
    kloset_sdk.main(importer=Notes)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """An author's folder, with a package of his own that has data in it, and tests that are not shipped."""
    folder = tmp_path / "code"
    (folder / "helper").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "manifest.yaml").write_text(MANIFEST)
    (folder / "notes.py").write_text(CODE)
    (folder / "helper" / "__init__.py").write_text("def greeting(): return b'hello'\n")
    (folder / "helper" / "data.txt").write_text("data")
    (folder / "tests" / "test_notes.py").write_text("import no_such_module\n")
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the library, first on the path."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setenv("PATH", f"{tmp_path}/bare/bin", prepend=os.pathsep)
    monkeypatch.delenv("PYTHONPATH", raising=False)


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.usefixtures("bare")
def test_a_package_runs_without_the_library_and_writes_nothing(kloset: Kloset, code: Path, tmp_path: Path) -> None:
    assert subprocess.run(["python3", "-c", "import kloset_sdk"], stderr=subprocess.DEVNULL, check=False).returncode == 1
    package = packaging.package(code, tmp_path / "out", "v1.0.0")
    before = listing(package)
    assert before == sorted(["manifest.yaml", "notes", OWN_NATIVE])
    # Without write permission nothing can be unpacked; root needs none, so that what is there is compared as well.
    package.chmod(0o555)
    found = kloset.importer(package / "notes", "notes://me").tree()
    assert found["/hello"].content == b"hello" and found["/data"].content == b"data"
    assert found["/from"].content is not None and found["/from"].content.startswith(os.fsencode(package / "notes"))
    assert listing(package) == before
    package.chmod(0o755)


def test_the_manifest_names_the_native_part_once(code: Path, tmp_path: Path) -> None:
    package = packaging.package(code, tmp_path / "out", "v1.0.0")
    manifest = (package / "manifest.yaml").read_text()
    assert manifest == MANIFEST.replace("./notes\n", f"./notes\n    extra_files:\n      - {OWN_NATIVE}\n", 1)


def test_for_plakar_1_0_each_connector_has_an_executable_of_its_own(code: Path, tmp_path: Path) -> None:
    package = packaging.package(code, tmp_path / "out", "v1.2.3", generation="1.0")
    assert listing(package) == sorted(["manifest.yaml", "notes-importer", "notes-storage", OWN_NATIVE])
    manifest = (package / "manifest.yaml").read_text()
    assert "version: v1.2.3\napi_version: 1.0.0\n" in manifest
    assert "executable: ./notes-storage\n" in manifest and manifest.count("extra_files") == 1


def test_the_same_code_makes_the_same_package(code: Path, tmp_path: Path) -> None:
    one, two = (packaging.package(code, tmp_path / out, "v1.0.0") / "notes" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_dependency_with_native_code_lies_unpacked(code: Path, tmp_path: Path) -> None:
    (code / "nativedep").mkdir()
    (code / "nativedep" / "__init__.py").write_text("")
    (code / "nativedep" / "_x.abi3.so").write_bytes(b"")
    package = packaging.package(code, tmp_path / "out", "v1.0.0", main="notes")
    assert "lib/nativedep/_x.abi3.so" in listing(package) and "lib/nativedep/__init__.py" in listing(package)
    assert "      - lib/nativedep/_x.abi3.so\n" in (package / "manifest.yaml").read_text()


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda code: (code / "manifest.yaml").unlink(), "holds no manifest.yaml"),
        (lambda code: (code / "more.py").write_text(""), "holds 2 programs (more, notes): name the module"),
        (lambda code: (code / "notes.py").write_text("def x(:"), "notes.py cannot be compiled"),
        (lambda code: (code / "manifest.yaml").write_text(MANIFEST + "    extra_files: [x]\n"), "has extra_files"),
        (lambda code: (code / "manifest.yaml").write_text(MANIFEST.replace("notes\n    args: [st", "x\n    args: [st")), "2 exe"),
    ],
    ids=["no manifest", "two programs", "no Python", "extra files", "two executables"],
)
def test_what_cannot_be_packaged_is_told(code: Path, tmp_path: Path, spoil, text) -> None:  # type: ignore[no-untyped-def]
    spoil(code)
    with pytest.raises(PackagingError) as failed:
        packaging.package(code, tmp_path / "out", "v1.0.0")
    assert text in str(failed.value)


def test_a_package_without_its_native_part_says_what_belongs_where(code: Path, tmp_path: Path) -> None:
    package = packaging.package(code, tmp_path / "out", "v1.0.0")
    (package / OWN_NATIVE).unlink()
    started = subprocess.run(
        [sys.executable, package / "notes"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert started.returncode == 1
    assert f"ImportError: {package / OWN_NATIVE} is missing: it belongs into the manifest's extra_files" in started.stderr


def test_an_old_python_says_so_and_starts_a_newer_one_where_there_is_one(code: Path, tmp_path: Path) -> None:
    package = packaging.package(code, tmp_path / "out", "v1.0.0")
    old = "import sys; sys.version_info = (3, 9, 0, 'final', 0); sys.argv = sys.argv[1:]; import runpy; "
    old += "runpy.run_path(sys.argv[0], run_name='__main__')"

    def start(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", old, os.fspath(package / "notes"), "--help"]
        environment = {"PATH": str(path)}
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    folder = tmp_path / "pythons"
    folder.mkdir()
    alone = start(folder)
    assert alone.returncode == 1
    assert "notes: this is Python 3.9, and it takes 3.11 or later: install one, as python3 or python3.11" in alone.stderr
    (folder / "python3.11").symlink_to(sys.executable)
    helped = start(folder)
    assert helped.returncode == 0 and helped.stdout.startswith("notes is a connector for Plakar")
