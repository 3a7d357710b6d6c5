"""The tutorial, done as it is written."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a reader of the tutorial has made."""
    text = (PROJECT / "docs" / "python.md").read_text()
    notes, *tests = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:3]
    (manifest,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "notes.py").write_text(notes)
    (tmp_path / "test_notes.py").write_text("\n\n".join(tests))
    (tmp_path / "manifest.yaml").write_text(manifest)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the tutorial's, with this Python."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["python", "-m", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tutorials_connector_shows_what_the_tutorial_says(folder: Path) -> None:
    text = (PROJECT / "docs" / "python.md").read_text()
    ls = ("kloset_sdk", "ls", "--connector", "python notes.py", "notes://me")
    refused = run(folder, *ls)
    assert refused.returncode == 2 and refused.stderr.strip() in text
    listed = run(folder, *ls, "--option", "token=x")
    assert listed.returncode == 0 and listed.stdout.strip() in text and listed.stderr.strip() in text
    read = run(folder, "kloset_sdk", "cat", "--connector", "python notes.py", "notes://me", "/first.md", "--option", "token=x")
    assert read.stdout == "buy milk\n"


def test_the_documented_tests_pass(folder: Path) -> None:
    tested = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "test_notes.py")
    assert tested.returncode == 0, tested.stdout
    assert re.search(r"\d+ passed", tested.stdout)


def test_the_tutorials_package_is_made(folder: Path) -> None:
    packaged = run(folder, "kloset_sdk", "package", ".", "--main", "notes", "--version", "v1.0.0")
    assert packaged.stdout.splitlines()[0] == f"packaged notes in {folder}/dist/notes"


def test_the_readmes_importer_is_one() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    compiled = compile(code, "README.md", "exec")
    names: dict[str, object] = {"__name__": "readme"}
    exec(compiled, names)
    assert "Notes" in names


def test_the_licences_of_what_is_compiled_in_are_in_the_wheel() -> None:
    try:
        files = metadata.files("kloset-sdk") or []
    except metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    texts = {file.name: file.read_text() for file in files if file.parent.name == "licenses"}
    assert "MIT License" in texts["LICENSE"]
    assert "tokio" in texts["THIRD-PARTY.txt"] and "pyo3" in texts["THIRD-PARTY.txt"]
