"""Asks a provider again what a recording says that it was asked, and takes the answer as it would be recorded.

A request to a server goes through the provider's own client, past whatever makes requests of calls: what was recorded
at that seam is sent there again. Keys go to the address that the provider was given and nowhere else, whatever server a
file names. A call goes to the provider's own method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import ValidationError

from runtime.apis._api import Api
from runtime.errors import RequestError, StackError
from runtime.http.client import HttpClient
from runtime.http.transport import Exchange, Outgoing, server_of
from runtime.recording.bodies import content_type, has_body, written
from runtime.recording.calls import Calls
from runtime.recording.documents import Recording
from runtime.recording.rules import has_hidden
from runtime.recording.session import RecordingChoice, Session
from runtime.recording.upstream import PASSING
from runtime.sse import EventStream, Json

_COMPUTE = ("inference", "safety", "tool_runtime", "file_processors")
"""The APIs whose providers compute, and keep nothing of what they are asked."""


class NotAsked(StackError):
    """A recording that cannot be asked anew by itself: the message says why."""

    code = "not_asked"


class Anew(Session):
    """Takes what is recorded, one after the other, and writes nothing. folder: an empty one."""

    def __init__(self, folder: Path, *, secrets: Callable[[], Iterable[str]], hidden: tuple[str, ...] = ()) -> None:
        super().__init__(RecordingChoice(mode="record", folder=folder, hidden=hidden), secrets=secrets)
        self._taken: Json | None = None

    def keep(self, recording: Recording, *, call: object, may_pass: bool) -> None:
        self._taken = recording.answer

    def taken(self) -> Json:
        """The last answer. Raises NotAsked where there was none that can be recorded."""
        answer, self._taken = self._taken, None
        if answer is None:
            raise NotAsked("it answers with something that is not recorded")
        return answer


def why_not_asked(recording: Recording) -> str:
    """Why a recording cannot be asked anew by itself; empty where it can."""
    request = recording.request
    if has_hidden(request):
        return "something secret was left out of its request"
    api, method = recording.provider.partition("/")[0], request.get("method", "")
    computes = api in _COMPUTE and ("call" in request or method == "POST")
    if not computes and method not in ("GET", "HEAD"):
        return f"`{recording.operation}` may change what the provider keeps"
    return ""


async def answer_of_server(session: Anew, http: HttpClient, recording: Recording) -> tuple[Json, str]:
    """What the server answers now, and which one that was. http: of the provider, with `session` before it.

    Raises NotAsked where it is not known to which server that goes, a StackError where none answers, or passes the
    request on until later.
    """
    client = _client_for(http, recording)
    exchange: Exchange = await client.exchange(_outgoing(recording.request, client.address), redirects=True)
    try:
        async for _ in exchange.chunks():
            pass
    finally:
        await exchange.close()
    answer = session.taken()
    status, before = answer.get("status"), recording.answer.get("status")
    if status in (401, 403) and before not in (401, 403):
        raise StackError(f"it refuses the key ({status})", hint=client.key_hint or None)
    if status in PASSING and before not in PASSING:
        raise StackError(f"it answers {status}, which may pass", hint="ask again later")
    return answer, server_of(client.address)


async def answer_of_adapter(session: Anew, api: Api, adapter: Any, recording: Recording) -> Json:
    """What a provider in this process answers now. Raises NotAsked for a method or a request that there is no more, and
    what the provider raises but for refusals that do not pass, which are answers.
    """
    name = recording.request["call"]
    operation = next((one for one in api.operations() if one.name == name), None)
    if "sha256" in recording.request.get("json", {}):
        raise NotAsked("its document is not in the recording")
    if operation is None or getattr(adapter, name, None) is None:
        raise NotAsked(f"it has no `{name}` any more")
    try:
        request = operation.request.model_validate(recording.request.get("json", {}))
    except ValidationError as error:
        raise NotAsked(f"`{name}` does not take this request any more: {error.errors()[0]['msg']}") from error
    door = Calls(session, recording.provider, api.protocol, [name]).door(adapter)
    try:
        answer = await getattr(door, name)(request)
    except RequestError as error:
        if error.may_pass:
            raise
        return session.taken()
    if isinstance(answer, EventStream):
        async for _ in answer:
            pass
    return session.taken()


def _client_for(http: HttpClient, recording: Recording) -> HttpClient:
    """The client with the keys for the server that was asked, or else for the only one that the provider has."""
    known = http.by_server()
    client = known.get(recording.request.get("server", "")) or (next(iter(known.values())) if len(known) == 1 else None)
    if client is None:
        servers = ", ".join(f"`{server}`" for server in sorted(known)) or "none before it is asked"
        raise NotAsked(f"`{recording.request.get('server')}` is not an address of the provider; it has {servers}")
    return client


def _outgoing(request: Json, address: str) -> Outgoing:
    base = urlsplit(address)
    query = f"?{urlencode([tuple(pair) for pair in request['query']])}" if request.get("query") else ""
    headers = dict(request.get("headers", {}))
    if has_body(request):
        headers["content-type"] = content_type(request, headers.get("content-type", ""))
    return Outgoing(
        method=request.get("method", "GET"),
        url=f"{base.scheme}://{base.netloc}{request.get('path', '/')}{query}",
        headers=headers,
        body=written(request) if has_body(request) else None,
    )
