"""What is done to a chat request's fields before it gets Gemini's form. Imports nothing but rules, since every listing
loads it.
"""

from __future__ import annotations

from runtime.providers.inference._openai_compatible.rules import (
    NO_FUNCTIONS,
    NO_LOGIT_BIAS,
    NO_VERBOSITY,
    WITHOUT_EFFECT,
    Ignored,
    LeftOut,
    Refused,
    Rule,
    ignored,
    left_out,
)

GEMINI_RULES: tuple[Rule, ...] = (
    NO_LOGIT_BIAS,
    NO_VERBOSITY,
    *NO_FUNCTIONS,
    *left_out(*WITHOUT_EFFECT, why="it has no such field"),
    LeftOut("prediction", "it is not quicker with one"),
    Refused("audio", "does not speak in a chat"),
    Ignored("parallel_tool_calls", "decides itself how many calls it makes at once", unless=(True,)),
    Ignored("messages[].content[].image_url.detail", "looks at all images alike", unless=("auto",)),
    *ignored("web_search_options.user_location", why="is not told where the user is"),
    *ignored("web_search_options.search_context_size", why="reads as much as it wants", unless=("medium",)),
    LeftOut("messages[].reasoning_content", "it wants only its signature back (`extra_content`)"),
)
"""https://ai.google.dev/api/generate-content (read November 2026)"""
