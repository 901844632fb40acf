"""Whether this process is ours alone: a server's. Imports nothing else of ours.

In a program that has the stack as a library, what holds for a whole process is that program's: levels of other
libraries' loggers, variables of the environment, how many threads torch computes with.
"""

from __future__ import annotations

_is_ours = False


def take() -> None:
    """Said once, by the process's own beginning."""
    global _is_ours  # it is the process's
    _is_ours = True


def is_ours() -> bool:
    return _is_ours
