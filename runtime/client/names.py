"""The import names that llama-stack and ogx have for the library client, for programs that are not to be changed.

Nothing of it is there unless `install` is called, or a program is run by `python -m runtime.client PROGRAM`.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

from runtime.client.clients import AsyncLlamaStackAsLibraryClient, LlamaStackAsLibraryClient
from runtime.errors import Conflict

_BOTH = (LlamaStackAsLibraryClient, AsyncLlamaStackAsLibraryClient)
_TOPS = {
    "llama_stack": ("LlamaStackAsLibraryClient", "AsyncLlamaStackAsLibraryClient"),
    "ogx": ("OGXAsLibraryClient", "AsyncOGXAsLibraryClient"),
}
"""The packages, each with what it calls the two clients."""
_FOLDERS, _FILE = ("core", "distribution"), "library_client"
"""Where newer and older versions have them."""


def install() -> None:
    """Make the names importable in this process, as from `llama_stack.core.library_client`. Does nothing the second
    time. Raises Conflict where a package of that name is installed, whose place would be taken.
    """
    for top, classes in _TOPS.items():
        if isinstance(known := sys.modules.get(top), _Named):
            continue
        if known is not None or importlib.util.find_spec(top) is not None:
            raise Conflict(
                f"the package `{top}` is installed, and ours cannot have its name",
                hint=f"uninstall it, or import from `runtime.client` instead of `{top}`",
            )
        names = dict(zip(classes, _BOTH, strict=True))
        above = _Named(top, names)
        for folder in _FOLDERS:
            between = _Named(f"{top}.{folder}", {})
            last = _Named(f"{top}.{folder}.{_FILE}", names)
            setattr(between, _FILE, last)
            setattr(above, folder, between)


class _Named(ModuleType):
    """A module of these names, known to the process from now on."""

    def __init__(self, name: str, names: dict[str, type]) -> None:
        super().__init__(name, "Another name for `runtime.client`.")
        self.__path__: list[str] = []
        self.__spec__ = ModuleSpec(name, None, is_package=True)
        self.__dict__.update(names)
        sys.modules[name] = self
