"""Safety: shields that say whether a conversation is harmful, and OpenAI's moderations over them.

A provider has one operation, `assess`: a conversation in, an assessment of its last message out. Both doors over HTTP,
and the guardrails of every chat, ask for that and nothing else.
"""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("safety", "runtime.apis.safety.protocol:Safety", section="safety", in_replay="calls")
