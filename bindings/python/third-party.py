#!/usr/bin/env python3
"""Writes THIRD-PARTY.txt: the licences of the crates that are compiled into the native part, as their authors ship them.

`cargo metadata` tells which crates these are, and where they lie. Of a crate that ships no licence file its name for the licence
is told, with its authors; one that has neither is an error.

`cargo about` and its like do the same and more, but come as source only: every fresh machine that builds a wheel would first
spend minutes on building them, where this takes two seconds.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TARGETS = [f"{machine}-unknown-linux-{libc}" for machine in ("x86_64", "aarch64") for libc in ("gnu", "musl")]
NAMES = ("licen", "copying", "copyright", "notice", "unlicense")


def compiled_in() -> dict[str, dict[str, Any]]:
    """The crates, by their ids; those that only build or test, and the project's own, are not among them."""
    found: dict[str, dict[str, Any]] = {}
    for target in TARGETS:
        command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
        told = json.loads(subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout)
        packages = {package["id"]: package for package in told["packages"]}
        nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
        pending = [told["resolve"]["root"]]
        seen = set()
        while pending:
            at = pending.pop()
            if at in seen or "proc-macro" in packages[at]["targets"][0]["kind"]:
                continue
            seen.add(at)
            normal = [dep for dep in nodes[at]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
            pending += [dep["pkg"] for dep in normal]
        found |= {at: packages[at] for at in seen if packages[at]["source"] is not None}
    return found


def main() -> int:
    """Write the file."""
    texts: dict[str, list[str]] = {}
    without = []
    for crate in sorted(compiled_in().values(), key=lambda crate: crate["name"]):
        name = f"{crate['name']} {crate['version']}, {crate['license']}"
        folder = Path(crate["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(NAMES))
        if not files:
            without.append((name, crate))
        for path in files:
            texts.setdefault(path.read_text(errors="replace").strip(), []).append(name)
    lines = ["The native part of kloset-sdk holds code of others, under these licences."]
    lines += ["", "Rust's standard library, MIT OR Apache-2.0: The Rust Project Contributors, https://github.com/rust-lang/rust"]
    for name, crate in without:
        if not crate["license"]:
            print(f"{name}: neither a licence nor a file with one", file=sys.stderr)
            return 1
        who = ", ".join([*crate["authors"], crate["repository"] or ""])
        lines += ["", f"{name}, ships no text of its own: {who}"]
    for text, names in sorted(texts.items(), key=lambda item: item[1]):
        lines += ["", "=" * 78, *names, "", text]
    (HERE / "THIRD-PARTY.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(texts)} licence texts, {len(without)} crates without one of their own")
    return 0


if __name__ == "__main__":
    sys.exit(main())
