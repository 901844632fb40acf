"""A vendor whose key goes into a header of its own: a row of data, and one method that says so. https://vendor.example"""

from __future__ import annotations

from dataclasses import replace

from runtime.http.auth import Auth, NamedHeader
from runtime.provider import ProviderContext
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.spec import openai_compatible


class HeaderAuthInference(OpenAICompatibleInference):
    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        return NamedHeader("x-vendor-key", context.keys, required=True)


SPEC = replace(
    openai_compatible(
        "vendor-header-auth",
        summary="Expects its key in x-vendor-key",
        base_url="https://vendor.example/v1",
        api_key_env="VENDOR_KEY",
    ),
    adapter=f"{__name__}:HeaderAuthInference",
)
APIS = ()
SPECS = (("inference", SPEC),)
