"""Tools that a model may call: how they are named on a command line, where their credentials come from, and which calls
have to be allowed first.

    mcp:URL            an MCP server at an address
    mcp:LABEL=URL      the same under a name of one's own
    mcp:NAME           a connector that the server knows by this name

The server calls them, by OpenAI's Responses API. Asks nobody.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from llama_cli.exits import ExitCode, Failure

AUTHORIZATION, HEADERS = "LLAMA_MCP_AUTHORIZATION", "LLAMA_MCP_HEADERS"
"""The variables with a token, and with a JSON object of headers, for the only server; with `_LABEL`, for one of
several.
"""
_OPTION = "--tool"
_HINT = "as in `--tool mcp:https://weather.example/mcp`, or the name of a connector: `--tool mcp:NAME`"
_AT = re.compile(r"(?:(?P<label>[^=:/]*)=)?(?P<url>https?://.+)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_LABEL = re.compile(r"[A-Za-z][\w-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class McpTool:
    """label: what its calls are known by; facts: where it is, and as whom it is asked, as a request has it."""

    label: str
    facts: Mapping[str, Any]

    @property
    def place(self) -> str:
        return str(self.facts.get("server_url") or self.facts["connector_id"])


@dataclass
class Allowed:
    """The calls that nobody is asked about. everything: all of them; always: by label, tools by name."""

    everything: bool = False
    always: dict[str, set[str]] = field(default_factory=dict)

    def required(self, label: str) -> Any:
        """`require_approval` of a server."""
        if self.everything:
            return "never"
        names = self.always.get(label)
        return {"never": sorted(names)} if names else "always"


@dataclass
class Tools:
    """What the model of a conversation may call."""

    servers: list[McpTool] = field(default_factory=list)
    allowed: Allowed = field(default_factory=Allowed)

    def asked(self) -> list[dict[str, Any]]:
        """`tools` of a request."""
        return [
            {
                "type": "mcp",
                "server_label": server.label,
                "require_approval": self.allowed.required(server.label),
                **server.facts,
            }
            for server in self.servers
        ]


def read(given: Sequence[str], beside: Sequence[McpTool] = ()) -> list[McpTool]:
    """The tools of `--tool`, with their credentials from the environment. beside: those there are already.

    Raises Failure: USAGE for what is none, and for a variable that would be sent to several; ACCESS for a credential
    that cannot be sent.
    """
    labels = [server.label for server in beside]
    found = []
    for one in given:
        label, facts = _place(one, labels)
        labels.append(label)
        found.append((label, facts))
    return [McpTool(label=label, facts=facts | _credentials(label, labels)) for label, facts in found]


def _place(given: str, taken: Sequence[str]) -> tuple[str, dict[str, Any]]:
    kind, colon, rest = given.partition(":")
    if kind != "mcp" or not (colon and rest):
        raise Failure.of_option(_OPTION, f"`{given}` is no tool", hint=_HINT)
    if at := _AT.fullmatch(rest):
        url, label = at["url"], at["label"]
        if label is not None and not _LABEL.fullmatch(label):
            raise Failure.of_option(_OPTION, f"`{label}` is no name: it has letters, digits, `_` and `-`", hint=_HINT)
        return _free(label or _label_of(url), taken, is_chosen=label is not None), {"server_url": url}
    if not _NAME.fullmatch(rest):
        raise Failure.of_option(_OPTION, f"`{rest}` is neither an address nor the name of a connector", hint=_HINT)
    return _free(_as_label(rest), taken, is_chosen=True), {"connector_id": rest}


def _label_of(url: str) -> str:
    """A name for an address, from its host."""
    try:
        parts = urlsplit(url)
        host, has_user = parts.hostname, parts.username is not None
    except ValueError:
        host, has_user = None, False
    if not host:
        raise Failure.of_option(_OPTION, f"`{url}` is no address of a server", hint=_HINT)
    if has_user:  # not shown, since it can hold a password
        hint = f"set `{AUTHORIZATION}` or `{HEADERS}`"
        raise Failure.of_option(_OPTION, "the address of a tool takes no user and password", hint=hint)
    return _as_label(host)


def _as_label(name: str) -> str:
    label = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return label if _LABEL.match(label) else f"mcp_{label}"


def _free(label: str, taken: Sequence[str], *, is_chosen: bool) -> str:
    """A label that no other tool has."""
    if label not in taken:
        return label
    if is_chosen:
        raise Failure.of_option(_OPTION, f"`{label}` is there twice", hint="give it another name: `mcp:NAME=URL`")
    number = next(number for number in range(2, len(taken) + 3) if f"{label}_{number}" not in taken)
    return f"{label}_{number}"


def _credentials(label: str, labels: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if token := _variable(AUTHORIZATION, label, labels):
        name, value = token
        scheme, _, rest = value.strip().partition(" ")
        value = rest.strip() if scheme.lower() == "bearer" else value.strip()
        if not (value and value.isascii() and value.isprintable()):
            hint = "look for a line feed or a quote that was copied with it"
            raise Failure(f"`{name}` holds characters that no token has", hint=hint, code=ExitCode.ACCESS)
        found["authorization"] = value
    if stated := _variable(HEADERS, label, labels):
        found["headers"] = _headers(*stated)
    return found


def _variable(base: str, label: str, labels: Sequence[str]) -> tuple[str, str] | None:
    """The variable of a server, and its value. Raises Failure where one value would go to several."""
    own = f"{base}_{re.sub(r'[^A-Za-z0-9]', '_', label).upper()}"
    if os.environ.get(own):
        return own, os.environ[own]
    if not os.environ.get(base):
        return None
    if len(labels) > 1:
        several = ", ".join(f"`{one}`" for one in labels)
        hint = f"name whom it is for: `{own}`, for example"
        raise Failure(f"`{base}` would be sent to each of {several}", hint=hint, code=ExitCode.USAGE)
    return base, os.environ[base]


def _headers(name: str, value: str) -> dict[str, str]:
    """Raises Failure that repeats nothing of the value, which is a secret."""
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if isinstance(found, dict) and all(isinstance(one, str) for one in found.values()):
        return found
    hint = f'as in `{name}=\'{{"x-api-key": "..."}}\'`'
    raise Failure(f"`{name}` is no JSON object of texts", hint=hint, code=ExitCode.ACCESS)
