"""The tutorial, done as it is written."""

import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
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


@pytest.fixture
def plakar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real host, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    if shutil.which("plakar") is None:
        pytest.skip("plakar not found")
    if "plakar/v1.0." in subprocess.run(["plakar", "version"], capture_output=True, text=True, check=False).stdout:
        pytest.skip("the tutorial is for plakar 1.1")
    subprocess.run(["plakar", "-disable-security-check"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    yield
    # It leaves a daemon behind.
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_bytes()
            if os.fsencode(home) in line and line.endswith(b"\0cached\0"):
                os.kill(int(process.name), signal.SIGTERM)


@pytest.mark.usefixtures("plakar")
def test_what_the_tutorial_backs_up_is_restored_by_the_real_host(folder: Path) -> None:
    text = (PROJECT / "docs" / "python.md").read_text()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    (commands,) = re.findall(r"```\n(\$ python -m kloset_sdk package .*?)```", text, re.DOTALL)
    for command in re.findall(r"^\$ (.*?)(?: +#.*)?$", commands, re.MULTILINE):
        program, *arguments = shlex.split(command.replace("~/backups", str(folder / "backups")).replace("amd64", arch))
        program = sys.executable if program == "python" else program
        done = subprocess.run(
            [program, *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    assert (folder / "restored" / "first.md").read_text() == "buy milk\n"


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
