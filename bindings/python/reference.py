"""Write the reference of the Python package from its docstrings, with pdoc, into a folder: reference.py FOLDER."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import pdoc
import pdoc.doc
from kloset_sdk.content import Content, Form

MODULES = ("kloset_sdk", "kloset_sdk.content", "kloset_sdk.errors", "kloset_sdk.testing")

in_full: Callable[..., str] = pdoc.doc.formatannotation
CONTENT, FORM = in_full(Content), in_full(Form)


def by_name(annotation: object, base_module: str | None = None, **_: object) -> str:
    """An annotation, with the names of the aliases that would fill the page."""
    text = in_full(annotation, base_module)
    if text not in (CONTENT, FORM):
        text = text.replace(CONTENT, "kloset_sdk.content.Content")
    if text != FORM:
        text = text.replace(FORM, "kloset_sdk.content.Form")
    return text


if __name__ == "__main__":
    inspect.formatannotation = pdoc.doc.formatannotation = by_name
    pdoc.pdoc(*MODULES, output_directory=Path(sys.argv[1]))
