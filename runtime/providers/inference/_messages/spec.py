"""What is done to a chat request's fields before it becomes one of Messages. Imports nothing but rules, since every
listing loads it.
"""

from __future__ import annotations

from runtime.providers.inference._openai_compatible.rules import (
    NO_FUNCTIONS,
    NO_LOGIT_BIAS,
    NO_LOGPROBS,
    NO_PENALTIES,
    NO_SEED,
    NO_SPEECH,
    NO_VERBOSITY,
    ONE_ANSWER,
    ONE_LIMIT,
    Capped,
    Ignored,
    LeftOut,
    Refused,
    Rule,
    ignored,
    left_out,
)

MESSAGES_RULES: tuple[Rule, ...] = (
    ONE_LIMIT,
    ONE_ANSWER,
    *NO_LOGPROBS,
    NO_SEED,
    NO_LOGIT_BIAS,
    *NO_PENALTIES,
    NO_VERBOSITY,
    *NO_SPEECH,
    *NO_FUNCTIONS,
    Capped("temperature", 1, "has no higher one"),
    Refused("messages[].content[].input_audio", "does not listen"),
    Ignored("messages[].content[].image_url.detail", "looks at all images alike", unless=("auto",)),
    *ignored("web_search_options.search_context_size", why="reads as much as it wants", unless=("medium",)),
    LeftOut("messages[].reasoning_content", "it wants only its signed blocks back (`extra_content`)"),
    LeftOut("prediction", "it is not quicker with one"),
    *left_out("store", "prompt_cache_key", "prompt_cache_retention", "stream_options", why="it has no such field"),
)
"""https://platform.claude.com/docs/en/api/messages/create (read November 2026)"""
