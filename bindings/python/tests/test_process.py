"""The life of the process: what is printed, what is read, what is forked."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import subjects
from kloset_sdk.testing.host import command_of
from kloset_sdk.testing.plugin import Kloset


def test_print_standard_input_and_children_are_harmless(kloset: Kloset) -> None:
    importer = kloset.importer(subjects.Forks, "test://me")
    found = {path: entry.content for path, entry in importer.tree().items()}
    importer.end()
    assert found == {
        "/": None,
        "/stdin": b"",
        "/fork": b"7",
        "/returns": b"0",
        "/child": b"child\n",
        "/multiprocessing fork": b"285",
        "/multiprocessing spawn": b"285",
    }
    assert "a line on standard output" in importer.log


@pytest.mark.parametrize("replaced", ["yes", "no"])
def test_a_child_that_is_left_behind_does_not_keep_the_host_waiting(kloset: Kloset, tmp_path: Path, replaced: str) -> None:
    pid = tmp_path / "pid"
    importer = kloset.importer(subjects.LeavesAChild, "test://me", pid=str(pid), exec=replaced)
    importer.tree()
    # The host waits two minutes for the process to end, and fails then.
    importer.end()
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_logging_goes_to_the_log_as_far_as_wanted_and_secrets_are_masked(kloset: Kloset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLOSET_SDK_LOG", "info")
    importer = kloset.importer(subjects.Logs, "test://me", token="x9y8z7w6")
    importer.tree()
    importer.end()
    lines = [line for line in importer.log if "subject" in line]
    assert lines == ["logs: info: subject: an info line", "logs: warn: subject: the token is ***"]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_free_threaded_cpython_is_refused_with_a_clear_word() -> None:
    fake = "import sysconfig; get = sysconfig.get_config_var; "
    fake += "sysconfig.get_config_var = lambda name: 1 if name == 'Py_GIL_DISABLED' else get(name); import kloset_sdk"
    refused = run(fake)
    assert refused.returncode == 1
    assert "ImportError: kloset_sdk does not run on free-threaded CPython yet: use the ordinary build" in refused.stderr


def test_a_program_that_is_only_imported_serves_nobody(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(
        "from kloset_sdk import Importer, main\nclass Notes(Importer):\n    def scan(self): return []\nmain(importer=Notes)\n"
    )
    imported = run("import notes; print(notes.Notes.__name__)", PYTHONPATH=str(tmp_path))
    assert (imported.returncode, imported.stdout) == (0, "Notes\n")
    helped = subprocess.run(
        [sys.executable, tmp_path / "notes.py", "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0
    assert helped.stdout.startswith("notes is a connector for Plakar: plakar starts it")
    assert f"Usage: {tmp_path}/notes.py [importer]" in helped.stdout


def test_what_is_no_class_of_the_role_is_refused_by_name() -> None:
    refused = run("from kloset_sdk import *\ndef go(): main(importer=dict)\ngo()")
    assert refused.returncode == 1
    assert "TypeError: <class 'dict'> is no class that inherits Importer" in refused.stderr


def test_the_command_lists_and_reads_without_a_rust_tool_chain(tmp_path: Path) -> None:
    folder = Path(subjects.__file__).parent
    program = tmp_path / "generates"
    program.write_text(
        f"#!{sys.executable}\nimport sys; sys.path.append({str(folder)!r}); import subjects; from kloset_sdk import main\n"
        "main(importer=subjects.Generates, exporter=subjects.Takes, store=subjects.Keeps)\n"
    )
    program.chmod(0o755)

    def said(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kloset_sdk", *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    listed = said("ls", "--connector", f"{program} importer", "test://me", "--quiet")
    assert listed.stdout.split() == ["/one", "/three", "/"] and listed.returncode == 1
    assert "Permission denied" in listed.stderr
    assert said("cat", "--connector", f"{program} importer", "test://me", "/three").stdout == "333"
    assert said("store", "--help").returncode == 0
    assert "package" in said("--help").stdout


def test_the_process_ends_when_the_host_is_gone_whatever_a_call_is_doing(tmp_path: Path) -> None:
    """Also when the author's code never returns."""
    command = command_of(subjects.Hangs, "importer")
    host = "import sys; from kloset_sdk.testing import ImporterHost; from pathlib import Path\n"
    host += "importer = ImporterHost(sys.argv[2:], 'test://me', {'pid': sys.argv[1]})\n"
    host += "importer.scan()\n"
    process = subprocess.Popen([sys.executable, "-c", host, tmp_path / "pid", *command[:-1]])
    while not (tmp_path / "pid").exists():
        assert process.poll() is None
    process.kill()
    process.wait()
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 300
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z":
        assert time.monotonic() < deadline, "it is still there"
