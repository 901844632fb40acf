"""Connectors: MCP servers by name, and what they and others can do.

https://modelcontextprotocol.io. Whatever here speaks to an MCP server asks this API, so that sessions, lists of tools
and credentials are looked after in one place.
"""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.apis._resources import Resource

CONNECTOR = Resource(
    kind="connector",
    served_by="connectors",
    id_field="connector_id",
    config_key="connectors",
    at_top=True,
    configured="runtime.apis.connectors.protocol:ConfiguredConnector",
    answer="runtime.apis.connectors.protocol:answer",
)
API = Api(
    "connectors",
    "runtime.apis.connectors.protocol:Connectors",
    resource=CONNECTOR,
    offered_with=("inference",),
    mounted_with=("responses",),
    in_replay="calls",
)
