"""The program. It has one role, and needs no argument."""

from kloset_sdk import main

from mailbox_python.importer import Importer

main(name="mailbox-python", version="0.1.0", importer=Importer)
