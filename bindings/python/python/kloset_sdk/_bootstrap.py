"""What a packaged connector begins with. It has to be understood by every Python, so that an old one can say what is wrong."""

import os
import sys

OLDEST = (3, 11)
NEWEST = 30
HERE = os.path.dirname(os.path.abspath(sys.argv[0]))
NATIVE = os.path.join(HERE, "kloset_sdk_native.abi3.so")


def another():
    """Start anew with a Python that is new enough, if there is one beside this one."""
    for minor in range(NEWEST, OLDEST[1] - 1, -1):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder, "python3.%d" % minor)
            if os.access(path, os.X_OK) and not os.path.isdir(path):
                try:
                    os.execv(path, [path] + sys.argv)
                except OSError:
                    pass
    sys.exit(
        "%s: this is Python %d.%d, and it takes 3.11 or later: install one, as python3 or python3.11, on the PATH of plakar"
        % ((os.path.basename(sys.argv[0]),) + tuple(sys.version_info[:2]))
    )


class Native:
    """Finds the library's native part, which lies beside the program."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """As every finder."""
        if name != "kloset_sdk._native":
            return None
        from importlib.util import spec_from_file_location

        if not os.path.exists(NATIVE):
            raise ImportError("%s is missing: it belongs into the manifest's extra_files" % NATIVE)
        return spec_from_file_location(name, NATIVE)


if sys.version_info < OLDEST:
    another()
sys.meta_path.insert(0, Native)
if os.path.isdir(os.path.join(HERE, "lib")):
    sys.path.insert(1, os.path.join(HERE, "lib"))

import runpy  # noqa: E402

runpy.run_module("MAIN", run_name="__main__", alter_sys=True)
