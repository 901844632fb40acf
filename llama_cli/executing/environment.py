"""The variables of a command that `exec` runs: where its server answers, in the words of each library that can ask it.

Each library's variables are stated once, in `llama_cli/clients`. A key of a vendor's goes to nobody by mistake: a
library that is pointed at our server has a placeholder for a key, or that of our server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.asking.routes import mounted
from llama_cli.clients import _client
from llama_cli.clients._client import Client, Protocol, Server
from llama_cli.exits import Failure
from llama_cli.options import PORT_VARIABLES
from llama_cli.servers.served import served_models

URL, MODEL, EMBEDDING_MODEL = "LLAMA_STACK_URL", "LLAMA_STACK_MODEL", "LLAMA_STACK_EMBEDDING_MODEL"
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_PAST_PROXIES = ("no_proxy", "NO_PROXY")
_LIMIT_S = 10.0


def libraries() -> list[Client]:
    """Those that programs call a server with."""
    return [client for name in _client.names() if (client := _client.find(name)).is_library]


def variables_of(base: Mapping[str, str], url: str, told: Sequence[Client]) -> dict[str, str]:
    """All variables of a command. base: ours; url: the server's address, which is asked for its models and routes;
    told: the libraries.
    """
    try:
        models = served_models(url, timeout_s=_LIMIT_S, remember=False)
    except Failure:
        models = {}  # as where it wants a key: it is up, and the command may have one
    try:
        spoken = _client.spoken(mounted(url))
    except Failure:
        spoken = set()
    return with_server(base, url, told, models=models, spoken=spoken)


def with_server(
    base: Mapping[str, str], url: str, told: Sequence[Client], *, models: Mapping[str, str], spoken: set[Protocol]
) -> dict[str, str]:
    """The same of what is known. models: types by id, the default one of a type first. spoken: the protocols whose
    routes the server has; OpenAI's is every server's.
    """
    first = {kind: model for model, kind in reversed(list(models.items()))}
    server = Server(url=url, model=first.get("llm", ""), models=tuple(models), has_key=bool(base.get(KEY_VARIABLE)))
    found = dict(base)
    for client in told:
        if client.variables is None or client.speaks not in {"chat", *spoken}:
            continue
        for each in client.instead:
            found.pop(each, None)
        for variable, value in client.variables(server).items():
            found[variable] = base[KEY_VARIABLE] if server.has_key and value == server.key else value
    found[URL] = url
    found |= dict.fromkeys(PORT_VARIABLES, str(urlsplit(url).port))
    for variable, kind in ((MODEL, "llm"), (EMBEDDING_MODEL, "embedding")):
        found.pop(variable, None)
        found |= {variable: first[kind]} if kind in first else {}
    return found | _past_proxies(base, url)


def _past_proxies(base: Mapping[str, str], url: str) -> dict[str, str]:
    """Libraries would ask a proxy for this very machine, unless told otherwise."""
    if not any(base.get(name) for name in _PROXIES):
        return {}
    exempt = [host for name in _PAST_PROXIES for host in base.get(name, "").split(",") if host.strip()]
    hosts = [urlsplit(url).hostname or "", "127.0.0.1", "localhost"]
    return dict.fromkeys(_PAST_PROXIES, ",".join(dict.fromkeys([*exempt, *hosts])))
