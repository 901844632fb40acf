"""The providers of this stack: their configuration without secrets, and their health."""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("providers", "runtime.apis.providers.protocol:Providers", always=True)
