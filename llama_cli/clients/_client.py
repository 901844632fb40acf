"""A client or coding tool as data: which protocol it speaks, which variables it reads, which file it is configured by.

Each lies in a file of its own beside this one, is called as that file, and states `CLIENT`. Knows none of them.
"""

from __future__ import annotations

import importlib
import pkgutil
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path
from typing import Any, Literal

from runtime.config.home import expanded

Protocol = Literal["chat", "responses", "messages", "generate-content"]
Form = Literal["yaml", "json", "toml"]

ROUTES: Mapping[Protocol, tuple[str, str]] = {
    "chat": ("POST", "/v1/chat/completions"),
    "responses": ("POST", "/v1/responses"),
    "messages": ("POST", "/v1/messages"),
    "generate-content": ("POST", "/v1beta/models/{model_id:path}:generateContent"),
}
"""The route that a server has to have for each; the last by its path without the field's name."""


def spoken(routes: Iterable[Mapping[str, Any]]) -> set[Protocol]:
    """What a server speaks. routes: as it lists them, `{method, route}`."""
    there = {(row["method"], row["route"]) for row in routes}
    return {protocol for protocol, route in ROUTES.items() if route in there}


NAME = "llama-stack"
"""What we are called in the lists of others."""

CONTEXT = 8192
"""For tools that have to be told, where the server does not say how long a text its model takes."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """What a client is to use. url: without `/v1`; model: the one it starts with; context_length: of that, in tokens.

    models: those that chat. has_key: whether it wants a key, which is in the variable `KEY_VARIABLE`.
    """

    url: str
    model: str
    models: tuple[str, ...] = ()
    context_length: int = CONTEXT
    has_key: bool = False

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def key(self) -> str:
        """The key is never written down, only the variable that holds it, for a shell or a person to fill in."""
        from llama_cli.asking.reach import KEY_VARIABLE  # with what speaks HTTP, which names alone do not need

        return f"${KEY_VARIABLE}" if self.has_key else "none"

    def in_shell(self, value: str) -> str:
        """A value as a word of a shell's: a model can be called anything, and only our own variable is filled in."""
        return f'"{value}"' if self.has_key and value == self.key else shlex.quote(value)


@dataclass(frozen=True, kw_only=True)
class Client:
    """summary: what it is, in a few words. page: where its own documentation says what stands here.

    variables: what it reads from the environment. file, form: where its settings are, of the user's variables, and in
    which form; settings: what has to stand there, beside whatever else does (for TOML, the whole text of a file that is
    ours alone); initial: what a new file has besides, and an old one as its user wants it. text: code or steps, where
    there is no file to write. then: what to type after that.

    is_library: programs call a server with it, so that `exec` gives them its variables. instead: further variables that
    it would take a key, headers or an address from, which are another server's then.
    """

    summary: str
    page: str
    speaks: Protocol = "chat"
    variables: Callable[[Server], Mapping[str, str]] | None = None
    file: Callable[[Mapping[str, str]], Path] | None = None
    form: Form | None = None
    settings: Callable[[Server], Any] | None = None
    initial: Mapping[str, str] = field(default_factory=dict)
    text: Callable[[Server], str] | None = None
    then: Callable[[Server], str] | None = None
    is_library: bool = False
    instead: tuple[str, ...] = ()


def names() -> list[str]:
    """Every client, found by its file. Imports none."""
    here = str(Path(__file__).parent)
    found = (module.name for module in pkgutil.iter_modules([here]) if not module.name.startswith("_"))
    return sorted(name.rstrip("_").replace("_", "-") for name in found)


def find(name: str) -> Client:
    """Raises KeyError for what is not in `names()`."""
    if name not in names():
        raise KeyError(name)
    module = name.replace("-", "_") + ("_" if iskeyword(name) else "")
    client: Client = importlib.import_module(f"llama_cli.clients.{module}").CLIENT
    return client


def home(environment: Mapping[str, str]) -> Path:
    """The user's home folder."""
    return Path(environment.get("HOME") or expanded("~"))


def config_home(environment: Mapping[str, str]) -> Path:
    """Where programs keep their settings, on Linux and for those that do so everywhere."""
    return Path(environment.get("XDG_CONFIG_HOME") or home(environment) / ".config")
