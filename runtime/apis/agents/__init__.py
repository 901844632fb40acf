"""Agents as llama-stack before 0.4 had them: `/v1/agents`, with sessions, turns and steps.

Another door to `responses`: a turn is a response, or several where the client runs tools. New programs use
`/v1/responses`.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "agents",
    "runtime.apis.agents.protocol:Agents",
    mounted_with=("responses",),
    stores=(Store(name="agents", families=("sql",), part="agents", kinds=("sessions",)),),
)
