"""Whose model a name means, in each of the ways in which users write it.

`google/gemini-3.5-flash`, `gemini-3.5-flash`, `publishers/google/models/gemini-3.5-flash`, and in older configs
`vertex_ai/gemini-2.0-flash`; `meta/llama-4-scout-17b-16e-instruct-maas`; `endpoints/123` for one that the user has
deployed.
"""

from __future__ import annotations

from dataclasses import dataclass

_GOOGLE, _DEPLOYED = "google", "endpoints"
_OLDER = "vertex_ai/"


@dataclass(frozen=True, kw_only=True)
class Named:
    """publisher: such as `google` or `meta`; `endpoints` for a deployed one. name: without it."""

    publisher: str
    name: str

    @property
    def is_gemini(self) -> bool:
        """Whether it has Gemini's own form of chat."""
        return self.publisher == _GOOGLE and self.name.startswith("gemini")

    @property
    def is_deployed(self) -> bool:
        return self.publisher == _DEPLOYED

    @property
    def full_name(self) -> str:
        return f"{self.publisher}/{self.name}"


def named(model: str) -> Named:
    name = model.removeprefix(_OLDER)
    if name.startswith("publishers/") and name.count("/") >= 3:  # `publishers/NAME/models/NAME`
        _, publisher, _, name = name.split("/", 3)
        return Named(publisher=publisher, name=name)
    publisher, slash, rest = name.partition("/")
    return Named(publisher=publisher, name=rest) if slash else Named(publisher=_GOOGLE, name=name)
