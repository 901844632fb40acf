"""A chat request in Gemini's form. https://ai.google.dev/api/generate-content (read November 2026)

Fields of Gemini's own are taken under its names, and under those that Google's endpoint for OpenAI's clients reads in
`extra_body`. A field that nobody knows is sent on, and Google says so.
"""

from __future__ import annotations

import re
from typing import Any

from runtime.providers.inference._gemini.contents import conversation_of
from runtime.providers.inference._gemini.generation import fit_generation
from runtime.providers.inference._gemini.tool_use import fit_tools
from runtime.sse import Json

_OURS = ("model", "stream", "stream_options")
"""Said by the address, or done by us."""
_OF_GENERATION = {"thinkingConfig", "mediaResolution", "speechConfig", "imageConfig", "responseModalities", "topK"}
"""Gemini's own settings that are in `generationConfig`."""
_UNDERSCORE = re.compile(r"_([a-z])")


def request_of(body: Json, provider_id: str) -> Json:
    """body: OpenAI's fields, and perhaps others; it is used up. Raises RequestError for what Gemini cannot do."""
    model = body["model"]
    for name in _OURS:
        body.pop(name, None)
    said = conversation_of(body.pop("messages"), model, provider_id)
    generation = fit_generation(body, model, provider_id)
    made: Json = {"contents": said.contents, **fit_tools(body, provider_id)}
    if said.system:
        made["systemInstruction"] = {"parts": said.system}
    for name, value in (_of_google(body.pop("extra_body", None)) | body).items():
        theirs = _camel_case(name)
        if theirs in _OF_GENERATION:
            generation[theirs] = _merged(generation.get(theirs), value)
        elif theirs == "generationConfig" and isinstance(value, dict):
            generation |= {_camel_case(one): setting for one, setting in value.items()}
        elif theirs in ("safetySettings", "cachedContent", "labels"):
            made[theirs] = value
        else:
            made[name] = value
    return made | ({"generationConfig": generation} if generation else {})


def _of_google(extra: Any) -> Json:
    google = extra.get("google") if isinstance(extra, dict) else None
    return google if isinstance(google, dict) else {"extra_body": extra} if extra is not None else {}


def _merged(ours: Any, given: Any) -> Any:
    """A request's own setting goes before what one of OpenAI's means."""
    if not isinstance(given, dict):
        return given
    own = {_camel_case(name): value for name, value in given.items()}
    kept = dict(ours or {})
    if not {"thinkingBudget", "thinkingLevel"}.isdisjoint(own):  # only one of them may be there
        kept = {name: value for name, value in kept.items() if name not in ("thinkingBudget", "thinkingLevel")}
    return kept | own


def _camel_case(name: str) -> str:
    """Google takes both ways of writing a name."""
    return _UNDERSCORE.sub(lambda found: found[1].upper(), name)
