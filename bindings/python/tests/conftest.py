"""Tests of the package; the fixture `kloset` comes from its plugin."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
