"""The service account of the machine, container or function of Google's that this runs on: its metadata server tells.

https://cloud.google.com/compute/docs/metadata/querying-metadata (read November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.clock import wall_time
from runtime.errors import UpstreamError
from runtime.http.client import HttpClient
from runtime.http.oauth import asked, token_in
from runtime.http.timeouts import Timeouts
from runtime.http.tokens import Token
from runtime.http.transport import Outgoing

_PLACE = "169.254.169.254"
_HEADER = "metadata-flavor"
_SOON = Timeouts(connect_s=1.0, read_s=3.0, total_s=5.0)
"""It is as near as can be; where there is none, nothing answers."""


def is_none(env: Mapping[str, str]) -> bool:
    """Whether the user says that this is no machine of Google's."""
    return env.get("NO_GCE_CHECK", "").lower() == "true"


async def token_of_machine(http: HttpClient, env: Mapping[str, str]) -> Token | None:
    """None where this is no machine of Google's. Raises Unavailable for one without a service account."""
    if await text_of_machine(http, env, "instance/zone") is None:
        return None
    began, source = wall_time(), "the machine's service account"
    answer = await asked(http, _request(env, "instance/service-accounts/default/token"), source)
    return token_in(answer, source, began=began)


async def text_of_machine(http: HttpClient, env: Mapping[str, str], what: str) -> str | None:
    """One of its facts, such as `project/project-id`; None where there is no such machine."""
    try:
        exchange = await http.send(_request(env, what))
        try:
            said = (await exchange.read()).decode("ascii", "replace").strip()
            return said if exchange.headers.get(_HEADER) == "Google" else None
        finally:
            await exchange.close()
    except UpstreamError:
        return None


def _request(env: Mapping[str, str], what: str) -> Outgoing:
    host = env.get("GCE_METADATA_HOST") or env.get("GCE_METADATA_IP") or _PLACE
    url = f"http://{host}/computeMetadata/v1/{what}"
    return Outgoing(method="GET", url=url, headers={_HEADER: "Google"}, timeouts=_SOON)
