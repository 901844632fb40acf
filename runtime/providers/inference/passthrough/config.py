"""Settings of a server that callers have their own headers for."""

from __future__ import annotations

from runtime.providers._vendors.passthrough.settings import ForwardsHeaders
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig


class PassthroughConfig(ForwardsHeaders, OpenAICompatibleConfig):
    pass
