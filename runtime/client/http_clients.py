"""What clients of httpx and of httpx2 over a stack have in common."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from runtime.errors import Unavailable

URL = "http://localhost"
"""The address of a stack in its own process: nothing is looked up or connected."""
_TIMEOUT_S = 600.0
"""httpx has 5 seconds, in which a model on a laptop may not have begun."""
_LIBRARIES = ("httpx", "httpx2")
_PROVIDER_DATA = "X-LlamaStack-Provider-Data"


def library_or_installed(library: ModuleType | None) -> ModuleType:
    """The one that is given, or the first that is installed. Raises Unavailable if there is none."""
    if library is not None:
        return library
    for name in _LIBRARIES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise Unavailable("neither httpx nor httpx2 is installed", hint="install one of them: `pip install httpx`")


def headers_of(provider_data: object) -> dict[str, str]:
    """The header that says it. Raises TypeError for what JSON does not have."""
    if provider_data is None:
        return {}
    if not isinstance(provider_data, Mapping):
        given = type(provider_data).__name__
        raise TypeError(f"`provider_data` is a dict such as {{'groq_api_key': '...'}}, and not a {given}")
    try:
        return {_PROVIDER_DATA: json.dumps(dict(provider_data))} if provider_data else {}
    except (TypeError, ValueError) as error:
        raise TypeError(f"`provider_data` cannot be sent as JSON: {error}") from None


def client_settings(library: ModuleType, headers: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of a client, besides its transport. Nothing of the environment is read: no proxy is in between.
    headers: of every request.
    """
    return {
        "base_url": URL,
        "headers": dict(headers),
        "timeout": library.Timeout(_TIMEOUT_S),
        "follow_redirects": True,
        "trust_env": False,
    }
