#!/usr/bin/env python3
"""Measures what a user sees: backups and restores with the real plakar, its built-in filesystem connector beside packaged ones.

Everything lies in memory, and the connectors take turns. The small calls decide it, so small files come first.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMALL = (20_000, 4 << 10)
LARGE = (10, 64 << 20)


class Host:
    """The real plakar, in a home of its own."""

    def __init__(self, command: str, folder: Path) -> None:
        self.command = command
        self.folder = folder
        names = {"HOME": "home", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data"}
        self.environment = os.environ | {name: str(folder / place) for name, place in names.items()}
        self.run("-disable-security-check", check=False)

    def run(self, *arguments: str, check: bool = True) -> float:
        """Runs it and says how many seconds it took."""
        begin = time.perf_counter()
        ended = subprocess.run(
            [self.command, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - begin
        if check and (ended.returncode != 0 or "error" in ended.stderr):
            sys.exit(f"bench-plakar: {self.command} {' '.join(arguments)}: {ended.stdout}{ended.stderr}")
        return seconds

    def end(self) -> None:
        """Ends the process that keeps its cache."""
        subprocess.run(
            ["pkill", "-TERM", "-f", "--", f"-cachedir {self.environment['XDG_CACHE_HOME']}/plakar cached"], check=False
        )


def make_tree(folder: Path, files: int, size: int) -> None:
    for number in range(files):
        place = folder / f"{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06}").write_bytes(os.urandom(size))


class Case:
    """A way to do the job: which protocol is the importer's or exporter's, and which the store's."""

    def __init__(self, name: str, ends: str, store: str) -> None:
        self.name = name
        self.ends = ends
        self.store = store


def measure(host: Host, case: Case, source: Path, *, restore: bool) -> float:
    """The seconds of a backup into a new repository, or of a restore out of one."""
    with tempfile.TemporaryDirectory(dir=host.folder) as name:
        repository = f"{case.store}://{name}/repository"
        host.run("at", repository, "create", "-plaintext")
        backup = host.run("at", repository, "backup", "-no-progress", f"{'fs' if restore else case.ends}://{source}")
        if not restore:
            return backup
        return host.run("at", repository, "restore", "-to", f"{case.ends}://{name}/restored")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-plakar", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="rounds, in each of which every case comes once (%(default)s)")
    parser.add_argument("--scale", type=float, default=1, help="multiplies the number of files (%(default)s)")
    parser.add_argument(
        "--connector",
        action="append",
        default=[],
        metavar="PROTO=PACKAGE",
        help="a further connector: its protocol and its .ptar",
    )
    parser.add_argument("--json", type=Path, default=ROOT / "target/bench/plakar.json")
    options = parser.parse_args()
    plakar = os.environ.get("PLAKAR", "plakar").split()[0]
    if shutil.which(plakar) is None:
        sys.exit(f"bench-plakar: {plakar} is not on the path; PLAKAR names another")
    packages = {"fsc": next((ROOT / "target/packages").glob("fs-c_*.ptar"), None)}
    packages |= {proto: Path(package) for proto, _, package in (text.partition("=") for text in options.connector)}
    for proto, package in packages.items():
        if package is None or not package.exists():
            sys.exit(f"bench-plakar: there is no package {package} for {proto}://")

    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    rows = []
    with tempfile.TemporaryDirectory(dir=memory) as name, contextlib.ExitStack() as at_end:
        host = Host(plakar, Path(name))
        at_end.callback(host.end)
        for package in packages.values():
            host.run("pkg", "add", str(package))
        trees = {}
        for size, (files, length) in {"small": SMALL, "large": LARGE}.items():
            trees[size] = Path(name) / size
            make_tree(trees[size], max(1, int(files * options.scale)), length)
        built_in = Case("built in", "fs", "fs")
        ends = [Case(f"{proto}: importer or exporter", proto, "fs") for proto in packages]
        both = [Case(f"{proto}: and store", proto, proto) for proto in packages]
        works = [
            ("backup of small files", trees["small"], False, [built_in, *ends, *both]),
            ("restore of small files", trees["small"], True, [built_in, *ends, *both]),
            ("backup of large files", trees["large"], False, [built_in, *ends]),
        ]
        print(f"{'work':<24}{'connector':<32}{'seconds':>9}{'times built in':>16}")
        for work, source, restore, cases in works:
            seconds: dict[str, list[float]] = {case.name: [] for case in cases}
            for _ in range(options.pairs):
                for case in cases:
                    seconds[case.name].append(measure(host, case, source, restore=restore))
            for case in cases:
                pairs = zip(seconds[case.name], seconds[built_in.name], strict=True)
                ratio = statistics.median(own / built for own, built in pairs)
                middle = statistics.median(seconds[case.name])
                print(f"{work:<24}{case.name:<32}{middle:>9.2f}{ratio:>16.2f}", flush=True)
                rows.append({"work": work, "connector": case.name, "seconds": middle, "ratio": ratio, "pairs": options.pairs})
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(rows, indent=2) + "\n")


main()
