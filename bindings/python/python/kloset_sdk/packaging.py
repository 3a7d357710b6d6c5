"""``python -m kloset_sdk package``: lays a connector ready to ship.

A package is a folder with the manifest, the program, and what the program needs. The program is a zip application: the author's
code, the library, and every dependency that is pure Python, in one executable file. What is native cannot be loaded from a zip:
it lies beside it, and is named in the manifest's ``extra_files``. Nothing is unpacked when the program runs, so that the file
system may be read-only; the machine needs a Python and nothing else.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import io
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import _native

OWN_NATIVE = "kloset_sdk_native.abi3.so"
"""The library's native part, in a package."""

NATIVE = re.compile(r"\.so(\.[0-9.]+)?$")
LEFT_OUT = {"__pycache__", "testing", "packaging.py", "_bootstrap.py", "_serve.py", "__main__.py", "py.typed", "_native.pyi"}
"""What of the library itself a connector does not need. (Its native part goes elsewhere.)"""

NOT_SHIPPED = {"tests", "test", "conftest.py", "setup.py", "build", "dist"}
"""What lies beside an author's code and is none of it."""


class PackagingError(Exception):
    """Something that the author has to change."""


@dataclass(frozen=True)
class Manifest:
    """A manifest, as text: what is changed is changed in it, and comments stay."""

    text: str

    @property
    def name(self) -> str:
        """The package's name."""
        return self._one(r"^name:\s*(\S+)", "a name")

    @property
    def executable(self) -> str:
        """The one executable of all connectors."""
        found: set[str] = set(re.findall(r"^[ -]*executable:\s*(\S+)\s*$", self.text, re.MULTILINE))
        if len(found) != 1:
            raise PackagingError(f"the manifest names {len(found)} executables; one is packaged, with the role in args")
        return os.path.normpath(found.pop())

    def _one(self, pattern: str, what: str) -> str:
        found = re.search(pattern, self.text, re.MULTILINE)
        if found is None:
            raise PackagingError(f"the manifest has no line with {what}")
        return str(found[1])

    def with_files(self, files: list[str]) -> Manifest:
        """With these among the files of the first connector."""
        lines = self.text.splitlines()
        at, line = next((at, line) for at, line in enumerate(lines) if re.match(r"[ -]*executable:", line))
        indent = " " * (len(line) - len(line.lstrip(" -")))
        if re.search(r"^[ -]*extra_files:", self.text, re.MULTILINE):
            raise PackagingError("the manifest has extra_files: leave them to this command, put data into a Python package")
        lines[at + 1 : at + 1] = [f"{indent}extra_files:", *(f"{indent}  - {file}" for file in files)]
        return Manifest("\n".join(lines) + "\n")

    def for_generation_1_0(self, version: str) -> tuple[Manifest, list[str]]:
        """As plakar 1.0 wants it: with the version, and with an executable for each connector; and these."""
        kind, executables, lines = "", [], []
        for line in self.text.splitlines():
            if found := re.match(r"[ -]*type:\s*(\S+)", line):
                kind = found[1]
            if re.match(r"api_version:", line):
                lines += [f"version: {version}", "api_version: 1.0.0"]
            elif found := re.match(r"[ -]*executable:\s*(\S+)", line):
                lines.append(f"{line.rstrip()}-{kind}")
                executables.append(f"{os.path.normpath(found[1])}-{kind}")
            else:
                lines.append(line)
        return Manifest("\n".join(lines) + "\n"), executables


def package(folder: Path, out: Path, version: str, generation: str = "1.1", main: str | None = None) -> Path:
    """Lay the connector in `folder` ready to ship, below `out`; returns where it lies."""
    try:
        manifest = Manifest((folder / "manifest.yaml").read_text())
    except FileNotFoundError:
        raise PackagingError(f"{folder} holds no manifest.yaml: copy one from an example") from None
    main = main or _main_of(folder)
    package = out / manifest.name
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    shutil.copy(_own_native(), package / OWN_NATIVE)
    with tempfile.TemporaryDirectory() as staged:
        site = Path(staged)
        _install(_dependencies(folder), site)
        _copy_own(site / "kloset_sdk")
        _copy_code(folder, site)
        libraries = [entry for entry in sorted(site.iterdir()) if _holds_native(entry)]
        for entry in libraries:
            shutil.move(entry, package / "lib" / entry.name if entry.is_dir() else package / "lib")
        files = [OWN_NATIVE, *(os.fspath(file.relative_to(package)) for file in _files(package / "lib"))]
        executables = [manifest.executable]
        manifest = manifest.with_files(files)
        if generation == "1.0":
            manifest, executables = manifest.for_generation_1_0(version)
        application = _zip(site, main)
    for executable in executables:
        (package / executable).write_bytes(application)
        (package / executable).chmod(0o755)
    (package / "manifest.yaml").write_text(manifest.text)
    return package


def _main_of(folder: Path) -> str:
    found = [path.name for path in folder.iterdir() if (path / "__main__.py").exists() and path.name not in NOT_SHIPPED]
    if not found:
        found = [path.stem for path in _code(folder) if path.suffix == ".py"]
    if len(found) != 1:
        raise PackagingError(
            f"{folder} holds {len(found)} programs ({', '.join(sorted(found))}): name the module or package to run with --main"
        )
    return found[0]


def _code(folder: Path) -> Iterator[Path]:
    """The author's modules and packages."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_SHIPPED or path.name.startswith((".", "test_")):
            continue
        if path.suffix == ".py" or (path.is_dir() and (path / "__init__.py").exists()):
            yield path


def _copy_code(folder: Path, site: Path) -> None:
    for path in _code(folder):
        if path.is_dir():
            shutil.copytree(path, site / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, site)


def _own_native() -> str:
    file = _native.__file__
    if file is None or not any(file.endswith(suffix) for suffix in importlib.machinery.EXTENSION_SUFFIXES):
        raise PackagingError(f"the library's native part is no file: {file}")
    return file


def _copy_own(to: Path) -> None:
    def left_out(_: str, names: list[str]) -> set[str]:
        return {name for name in names if name in LEFT_OUT or NATIVE.search(name)}

    shutil.copytree(Path(__file__).parent, to, ignore=left_out)


def _dependencies(folder: Path) -> list[str]:
    """What pip is to install: the author's requirements.txt, or the dependencies in his pyproject.toml."""
    if (folder / "requirements.txt").exists():
        lines = (line.split("#")[0].strip() for line in (folder / "requirements.txt").read_text().splitlines())
        found = [line for line in lines if line]
    elif (folder / "pyproject.toml").exists():
        project = tomllib.loads((folder / "pyproject.toml").read_text()).get("project", {})
        found = list(project.get("dependencies", ()))
    else:
        found = []
    return [name for name in found if not re.match(r"kloset[-_.]sdk\b", name, re.IGNORECASE)]


def _install(dependencies: list[str], site: Path) -> None:
    if not dependencies:
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    installed = subprocess.run([*pip, "--target", site, *dependencies], check=False)
    if installed.returncode != 0:
        raise PackagingError(f"pip could not install {', '.join(dependencies)}: see above")
    shutil.rmtree(site / "bin", ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _holds_native(entry: Path) -> bool:
    """Whether something has to lie unpacked: it is a native module, has one in it, or the libraries of one."""
    return any(NATIVE.search(path.name) for path in (_files(entry) if entry.is_dir() else [entry]))


def _zip(site: Path, main: str) -> bytes:
    """The application: a line that names the interpreter, and a zip file with everything in it.

    Modules are there in compiled form as well, for Pythons of this version, which then start faster.
    """
    written = io.BytesIO(b"#!/usr/bin/env python3\n")
    written.seek(0, io.SEEK_END)
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, content: bytes) -> None:
            # Always the same time, so that the same code makes the same package.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)

        start = (Path(__file__).parent / "_bootstrap.py").read_text().replace('"MAIN"', repr(main))
        add("__main__.py", start.encode())
        for path in _files(site):
            name = path.relative_to(site).as_posix()
            if "/__pycache__/" not in name:
                add(name, path.read_bytes())
            if path.suffix == ".py":
                add(name + "c", _compiled(path, name))
    return written.getvalue()


def _compiled(path: Path, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "compiled"
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        try:
            py_compile.compile(os.fspath(path), os.fspath(to), dfile=name, doraise=True, invalidation_mode=mode)
        except py_compile.PyCompileError as error:
            raise PackagingError(f"{name} cannot be compiled: {error.exc_value}") from error
        return to.read_bytes()


def create(package: Path, version: str, generation: str, plakar: str) -> Path:
    """Make the ``.ptar`` of a package that was laid ready, beside it."""
    for old in package.parent.glob(f"{package.name}_*.ptar"):
        old.unlink()
    command = [plakar, "pkg", "create", "./manifest.yaml", *([version] if generation == "1.1" else [])]
    environment = os.environ | ({"PLAKAR_AGENTLESS": "1"} if generation == "1.0" else {})
    made = subprocess.run(
        command, cwd=package, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = list(package.glob(f"{package.name}_*.ptar"))
    if made.returncode != 0 or len(found) != 1:
        for broken in found:
            broken.unlink()
        raise PackagingError(f"{' '.join(command)} failed:\n{made.stdout}{made.stderr}".rstrip())
    return found[0].rename(package.parent / found[0].name)


def run(arguments: list[str]) -> int:
    """Run the command with its arguments."""
    parser = argparse.ArgumentParser(
        prog="kloset-sdk package",
        description="Lay a connector written in Python ready to ship: manifest, program, and what the program needs.",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        help="where manifest.yaml and the code lie, and requirements.txt or pyproject.toml with what it needs (default: here)",
    )
    parser.add_argument("--main", metavar="MODULE", help="the module or package to run, where that is not plain")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the package goes (default: FOLDER/dist)")
    parser.add_argument("--version", default="v0.1.0", help="the package's version (default: %(default)s)")
    parser.add_argument("--generation", choices=("1.0", "1.1"), default="1.1", help="for plakar 1.0 or 1.1 (default)")
    parser.add_argument("--plakar", metavar="COMMAND", help="also make the .ptar, with this plakar")
    asked = parser.parse_args(arguments)
    try:
        folder = asked.folder.resolve()
        out = (asked.out or folder / "dist").resolve()
        laid = package(folder, out, asked.version, asked.generation, asked.main)
        print(f"packaged {laid.name} in {laid}")
        if asked.plakar:
            print(f"made {create(laid, asked.version, asked.generation, asked.plakar)}")
        else:
            print("to make the .ptar: --plakar plakar, or plakar pkg create in that folder")
    except PackagingError as error:
        print(f"kloset-sdk package: {error}", file=sys.stderr)
        return 1
    return 0
