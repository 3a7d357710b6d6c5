"""The program: the role is its argument."""

from kloset_sdk import main

from fs_python.exporter import Exporter
from fs_python.importer import Importer
from fs_python.store import Store

main(name="fs-python", version="0.1.0", importer=Importer, exporter=Exporter, store=Store)
