"""What a class under test is started with, in its process: module, the module's file, the class, the role.

It stands here and not in `testing`, so that it starts without pytest.
"""

import importlib
import importlib.util
import os
import sys
from operator import attrgetter

from . import main

PATH = "KLOSET_SDK_TEST_PATH"
"""Where modules are looked for: the `sys.path` of the tests."""


def run(arguments: list[str]) -> None:
    """Import the class and serve it."""
    module, file, name, role = arguments[:4]
    sys.path[:] = os.environ[PATH].split(os.pathsep)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        # A test module that pytest has imported in a way of its own.
        spec = importlib.util.spec_from_file_location(module, file)
        if spec is None or spec.loader is None:
            raise
        found = importlib.util.module_from_spec(spec)
        sys.modules[module] = found
        spec.loader.exec_module(found)
    connector = attrgetter(name)(found)
    main(**{role: connector}, name=name.lower(), arguments=arguments[3:])


if __name__ == "__main__":
    run(sys.argv[1:])
