"""Health, version and the routes that are mounted."""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("inspect", "runtime.apis.inspect.protocol:Inspect", always=True)
