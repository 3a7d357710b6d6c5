"""The program: the role is its argument."""

from kloset_sdk import main

from sqlite_python.exporter import Exporter
from sqlite_python.importer import Importer

main(name="sqlite-python", version="0.1.0", importer=Importer, exporter=Exporter)
