"""What happened: traces and their spans."""

from __future__ import annotations

from runtime.apis._api import Api

_IN_REPLAY = "runtime.providers.telemetry.builtin.unkept:NothingKept"
API = Api("telemetry", "runtime.apis.telemetry.protocol:Telemetry", in_replay=_IN_REPLAY)
