"""What the families of models on Bedrock can, where they differ, as data.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html (read November 2026)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from runtime.providers.inference._openai_compatible.spec import Chat, Format, ToolChoice

_ALL: frozenset[ToolChoice] = frozenset({"auto", "required", "named"})
_SOME: frozenset[ToolChoice] = frozenset({"auto", "required"})
_AUTO: frozenset[ToolChoice] = frozenset({"auto"})
_TEXT: frozenset[Format] = frozenset({"text"})
_FORMS: frozenset[Format] = frozenset({"text", "json_object", "json_schema"})
_REGIONS = re.compile(r"(?:us|eu|apac|ap|global|us-gov|jp|au|ca|sa|me|af|il|mx)\.")
"""What an inference profile's id has before that of its model.
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
"""


@dataclass(frozen=True, kw_only=True)
class Family:
    """models: a pattern that a model's id begins with, without the region of an inference profile. choices: the forms
    of `tool_choice` that it has; empty for one without tools. streams_tools: whether tools go with a stream; otherwise
    the whole answer is asked for. schemas: whether it is held to a schema by Bedrock; where it is not, a tool that it
    has to call does that. takes_system: whether it takes what a system says. effort: how it is told how long to think:
    by a member of Bedrock's `outputConfig`, or by the model's own field. protocol: by which it is asked if the config
    does not say it.
    """

    models: str = ""
    choices: frozenset[ToolChoice] = _ALL
    streams_tools: bool = True
    schemas: bool = False
    takes_system: bool = True
    effort: Literal["output", "own", None] = None
    protocol: Literal["converse", "openai"] = "converse"

    @property
    def chat(self) -> Chat:
        """The same as facts for `fit_chat`."""
        has_forms = self.schemas or not self.choices.isdisjoint({"required", "named"})
        return Chat(tools=bool(self.choices), tool_choices=self.choices, formats=_FORMS if has_forms else _TEXT)


_FAMILIES = (
    Family(models=r"anthropic\.claude-(?:v2|instant)", choices=frozenset()),
    Family(models=r"anthropic\.claude-3"),
    Family(models=r"anthropic\.claude-(?:sonnet|opus)-4-(?:20|1-|v)"),
    Family(models=r"anthropic\.claude-(?:sonnet|haiku)-4-5", schemas=True),
    Family(models=r"anthropic\.", schemas=True, effort="output"),
    Family(models=r"amazon\.titan", choices=frozenset(), takes_system=False),
    Family(models=r"meta\.llama(?:2|3-8b|3-70b|3-2-1b|3-2-3b)", choices=frozenset()),
    Family(models=r"meta\.", choices=_AUTO, streams_tools=False),
    Family(models=r"mistral\.(?:mistral-7b|mixtral)", choices=frozenset(), takes_system=False),
    Family(models=r"mistral\.mistral-(?:large-24|small-24)", choices=_SOME, streams_tools=False),
    Family(models=r"mistral\.", choices=_SOME, schemas=True),
    Family(models=r"cohere\.command-r", choices=_AUTO),
    Family(models=r"cohere\.command", choices=frozenset(), takes_system=False),
    Family(models=r"ai21\.jamba-instruct", choices=frozenset()),
    Family(models=r"ai21\.", choices=_AUTO),
    Family(models=r"deepseek\.r1", choices=frozenset()),
    Family(models=r"(?:deepseek|qwen|google|nvidia|minimax|moonshot|moonshotai|zai)\.", choices=_SOME, schemas=True),
    Family(models=r"writer\.", choices=_AUTO, streams_tools=False),
    Family(models=r"openai\.", choices=_SOME, schemas=True, effort="own", protocol="openai"),
)
_OTHER = Family()


def base_of(model: str) -> str:
    """The model behind an inference profile that Bedrock defines, or behind an ARN: `meta.llama3-3-70b-instruct-v1:0`
    of `us.meta.llama3-3-70b-instruct-v1:0`.
    """
    name = model.rpartition("/")[2]
    return name[found.end() :] if (found := _REGIONS.match(name)) else name


def family_of(base: str) -> Family:
    """The family of a model; one about which nothing is known is asked for everything, and Bedrock refuses what it
    cannot.
    """
    return next((family for family in _FAMILIES if re.match(family.models, base)), _OTHER)
