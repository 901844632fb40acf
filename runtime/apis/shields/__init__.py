"""Which shields the stack has, and registering more. What a shield does: `safety`."""

from __future__ import annotations

from runtime.apis._api import Api
from runtime.apis._resources import Resource

SHIELD = Resource(
    kind="shield",
    served_by="safety",
    id_field="shield_id",
    config_key="shields",
    configured="runtime.apis.shields.protocol:RegisterShieldRequest",
    answer="runtime.apis.shields.protocol:answer",
)
API = Api("shields", "runtime.apis.shields.protocol:Shields", resource=SHIELD, mounted_with=("safety",))
