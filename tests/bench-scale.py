#!/usr/bin/env python3
"""Measures whether a record and a byte cost the same however many there are: a table, and a chart of it."""

import argparse
import json
import math
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = ROOT / "target/release/grpc-go-host"
MIB = 1 << 20
# Beyond a gibibyte in objects of one, as they are in a backup of large files.
LARGEST = 1 << 30

RECORDS = [1_000, 10_000, 100_000, 1_000_000, 5_000_000]
BYTES = [MIB, 16 * MIB, 256 * MIB, 4096 * MIB, 51_200 * MIB]


def bench(work: str, connector: list[str], role: str, *options: str) -> dict[str, float]:
    command = [str(HOST), "bench", work, "-timeout", "1h", *options, "--", *connector, role]
    measured: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return measured


def row(work: str, scale: int, cost: float, unit: str, cpu: float, measured: dict[str, float]) -> dict[str, object]:
    peak = measured["peak_rss_kib"] / 1024
    print(f"{work:<10}{scale:>16,}{cost:>12.2f}{cpu:>12.2f}  {unit:<14}{peak:>9.1f}", flush=True)
    return {"work": work, "scale": scale, "cost": cost, "cpu": cpu, "unit": unit, "peak_rss_mib": peak}


def measure(connector: list[str]) -> list[dict[str, object]]:
    rows = []
    for count in RECORDS:
        found = bench("import", connector, "importer", "-count", str(count))
        each = 1e6 / found["items"]
        rows.append(row("import", count, found["seconds"] * each, "µs a record", found["plugin_cpu_seconds"] * each, found))
    for total in BYTES:
        size = min(total, LARGEST)
        found = bench("get", connector, "store", "-size", str(size), "-count", str(total // size))
        each = 1e6 / (found["bytes"] / MIB)
        rows.append(row("get", total, found["seconds"] * each, "µs a mebibyte", found["plugin_cpu_seconds"] * each, found))
    return rows


def chart(rows: list[dict[str, object]]) -> str:
    """Wall clock, per record and per mebibyte, over the scale; the axis below grows tenfold at each step."""
    width, height, left, top = 720, 300, 60, 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
    ]
    for at, (work, title) in enumerate({"import": "µs a record", "get": "µs a mebibyte"}.items()):
        points = [(float(str(row["scale"])), float(str(row["cost"]))) for row in rows if row["work"] == work]
        x0, inner, bottom = left + at * width / 2, width / 2 - left - 30, height - 50
        low, high = (math.log10(points[end][0]) for end in (0, -1))
        most = max(cost for _, cost in points) * 1.2
        places = [
            (x0 + inner * (math.log10(n) - low) / (high - low), bottom - (bottom - top) * cost / most) for n, cost in points
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<text x="{x0}" y="{top - 12}">{work}: {title}</text>')
        parts.append(f'<path d="M{x0} {top}V{bottom}H{x0 + inner}" fill="none" stroke="#888"/>')
        parts.append(f'<polyline points="{line}" fill="none" stroke="#2060a0" stroke-width="2"/>')
        for (x, y), (n, cost) in zip(places, points, strict=True):
            text = f"{n:,.0f}" if work == "import" else f"{n / MIB:,.0f} MiB"
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2060a0"/>')
            parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{cost:.3g}</text>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" font-size="10">{text}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-scale", description=__doc__)
    parser.add_argument("--svg", type=Path, default=ROOT / "target/bench/scale.svg")
    parser.add_argument("--json", type=Path, default=ROOT / "target/bench/scale.json")
    parser.add_argument("connector", nargs="*", default=[str(ROOT / "target/release/bench-rust")], help="bench-rust by default")
    options = parser.parse_args()
    print(f"{'work':<10}{'scale':>16}{'wall clock':>12}{'processor':>12}  {'':<14}{'peak MiB':>9}")
    rows = measure(options.connector)
    options.svg.parent.mkdir(parents=True, exist_ok=True)
    options.svg.write_text(chart(rows))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(rows, indent=2) + "\n")


main()
