"""What the native part needs of the interpreter, said before it is loaded."""

import sysconfig


def require_lock() -> None:
    """Refuse the free-threaded build of CPython, for which the native part is not made."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise ImportError(
            "kloset_sdk does not run on free-threaded CPython yet: use the ordinary build of this Python, "
            "the one without a t at the end of its name"
        )
