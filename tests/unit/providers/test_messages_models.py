"""In what Anthropic's models differ, by their names and by what the list says of them.

https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting,
https://platform.claude.com/docs/en/api/models/list
"""

from __future__ import annotations

from typing import Any

import pytest

from runtime.providers.inference._messages.models import EFFORTS, input_modalities, model_of


@pytest.mark.parametrize(
    ("name", "thinks", "off", "samples", "forced", "late"),
    [
        ("claude-fable-5-2", "adaptive", None, "none", False, True),
        ("claude-fable-5", "adaptive", None, "none", True, True),
        ("claude-mythos-preview", "adaptive", None, "none", True, False),
        ("claude-opus-5-5", "adaptive", None, "none", False, True),
        ("claude-opus-5", "adaptive", "disabled", "none", True, True),
        ("claude-sonnet-5-5", "adaptive", "between_tools", "none", False, True),
        ("claude-sonnet-5", "adaptive", "disabled", "none", True, False),
        ("Claude-Haiku-5-5", "adaptive", "disabled", "none", True, True),
        ("claude-opus-4-7-20260416", "adaptive", "disabled", "none", True, False),
        ("anthropic/claude-opus-4-6", "adaptive", "disabled", "one", True, False),
        ("claude-haiku-4-5-20251001", "budget", "disabled", "one", True, False),
        ("claude-opus-4-1-20250805", "budget", "disabled", "one", True, False),
        ("claude-sonnet-4-20250514", "budget", "disabled", "one", True, False),
        ("claude-3-7-sonnet-20250219", "budget", "disabled", "one", True, False),
        ("claude-3-haiku-20240307", None, "disabled", "both", True, False),
        ("claude-2.1", None, "disabled", "both", True, False),
        ("claude-opus-9", "adaptive", None, "none", True, False),
        ("kimi-k3", "budget", "disabled", "both", True, False),
    ],
)
def test_names(name: str, thinks: Any, off: Any, samples: str, forced: bool, late: bool) -> None:
    found = model_of(name, {})
    assert (found.thinks, found.off, found.samples) == (thinks, off, samples)
    assert (found.forced, found.late_system) == (forced, late)


def can(**capabilities: Any) -> dict[str, Any]:
    return {"id": "m", "capabilities": capabilities}


def yes(**more: Any) -> dict[str, Any]:
    return {"supported": True, **more}


NO = {"supported": False}


def test_the_list_goes_before_the_name() -> None:
    types = {"adaptive": NO, "enabled": NO, "disabled": NO, "between_tools": yes()}
    listed = can(
        thinking=yes(types=types), effort=yes(low=yes(), medium=NO, max=yes()), structured_outputs=NO,
        image_input=yes(), pdf_input=NO,
    )  # fmt: skip
    found = model_of("claude-opus-5", {**listed, "max_tokens": 7})
    assert (found.thinks, found.off, found.efforts) == (None, "between_tools", ("low", "max"))
    assert (found.schemas, found.most_tokens) == (False, 7)
    assert input_modalities(listed) == ["text", "image"]
    assert model_of("claude-opus-5", can(effort=NO)).efforts == ()
    assert model_of("x", can(thinking=yes(types={"adaptive": NO, "enabled": yes()}))).thinks == "budget"


@pytest.mark.parametrize(
    "listed",
    [
        {}, {"capabilities": None, "max_tokens": None}, {"capabilities": 5, "max_tokens": True},
        can(thinking=5, effort=[], structured_outputs="yes"), can(thinking=yes(types=None)),
        can(effort={"supported": 1}),
    ],
)  # fmt: skip
def test_a_list_that_says_nothing_of_use_changes_nothing(listed: dict[str, Any]) -> None:
    found = model_of("claude-opus-5", listed)
    assert found == model_of("claude-opus-5", {}) and found.efforts == EFFORTS
    assert input_modalities(listed) is None
