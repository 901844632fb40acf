"""How a provider was chosen, by the name alone, and where else the same is as of now."""

from __future__ import annotations

from typing import Any

import pytest

from llama_cli.asking.offered import Off, Offered, Resource, State
from llama_cli.tracing import choice
from llama_cli.tracing.explained import explanation
from tests.support.schemas import conform
from tests.unit.cli.tracing._spans import call, request

LLAMA, AT_VENDOR = "meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b-versatile"
OURS = Resource(id=f"groq/{AT_VENDOR}", provider_id="groq", own_name=AT_VENDOR, kind="llm", canonical=LLAMA)
THEIRS = Resource(id="big/l33", provider_id="big", own_name="l33", kind="llm", canonical=LLAMA)


def chat(**facts: Any) -> dict[str, Any]:
    of_it = {"provider_id": "groq", "type": "remote::groq", "model": AT_VENDOR, "resource_id": OURS.id}
    return call(**of_it | {"asked_for": OURS.id} | facts)


def others(span: dict[str, Any], *resources: Resource, **now: Any) -> list[tuple[str | None, str]]:
    found = choice.others(span, Offered(resources={"inference": [*resources]}, **now))
    return [(one.id, one.state) for one in found]


@pytest.mark.parametrize(
    ("facts", "by", "said"),
    [
        ({}, "id", f"The name `{OURS.id}` is of this provider alone."),
        ({"asked_for": AT_VENDOR}, "own_name", f"`{AT_VENDOR}` is what this provider calls it, and no other had one"),
        ({"asked_for": LLAMA}, "canonical", f"`{LLAMA}` is what Llama calls the model, and no other provider had one"),
        ({"asked_for": f"groq/{LLAMA}"}, "canonical", f"`groq/{LLAMA}` is of this provider alone"),
        ({"asked_for": "fast", "resource_id": "fast", "source": "alias"}, "alias", "`fast` is another name for it"),
        ({"asked_for": "m", "resource_id": "m", "source": "config"}, "configured", "`m` is this provider's by the run"),
        ({"asked_for": "m", "resource_id": "m", "source": "registered"}, "registered", "`m` was registered with this"),
        ({"asked_for": None, "resource_id": None}, None, ""),
    ],
)
def test_what_the_name_was(facts: dict[str, Any], by: str | None, said: str) -> None:
    span = chat(**facts)
    assert choice.named_by(span) == by
    assert choice.why(span).startswith(said) and bool(choice.why(span)) == bool(said)


def test_the_same_model_is_known_by_what_llama_calls_it_or_by_its_own_name() -> None:
    embedding = Resource(id="e/l33", provider_id="e", own_name=AT_VENDOR, kind="embedding")
    alias = Resource(id="fast", provider_id="groq", own_name=AT_VENDOR, kind="llm", canonical=LLAMA)
    namesake = Resource(id="own/l", provider_id="own", own_name=AT_VENDOR, kind="llm")
    other = Resource(id="big/l31", provider_id="big", own_name="l31", kind="llm", canonical="meta-llama/Llama-3.1-8B")
    assert others(chat(), OURS, THEIRS, embedding, alias, namesake, other) == [
        ("big/l33", "unknown"), ("own/l", "unknown")
    ]  # fmt: skip
    assert others(chat(), THEIRS) == [("big/l33", "unknown")], "also where it is not listed any more"
    assert others(chat(asked_for=None), OURS, THEIRS) == []


def test_how_the_others_are_now() -> None:
    states = {("inference", "big"): State(status="error", message="it does not answer.")}
    off = (Off(provider_type="remote::together", variables=("TOGETHER_API_KEY",)),)
    now = Offered(resources={"inference": [OURS, THEIRS]}, states=states, off=off)
    found = explanation([request(), chat(), chat(id="again")], now)
    conform(found, "stack-explain")
    _, first, second = found["text"]
    assert first.endswith(
        f"The name `{OURS.id}` is of this provider alone. As of now, `big` has it too, as `big/l33`, was not asked for "
        "and does not work now (it does not answer). `together` has it too and is turned off: "
        "set `TOGETHER_API_KEY`, and start the server anew."
    )
    assert "As of now" not in second, "once is enough"
    assert [one["state"] for one in found["calls"][0]["others"]] == ["error", "off"]
    now = Offered(resources={"inference": [OURS, THEIRS]}, states={("inference", "big"): State(status="ok")})
    assert choice.told(choice.others(chat(), now)) == (
        "As of now, `big` has it too and was not asked for: that would be `big/l33`."
    )


def test_what_cannot_be_asked_is_said() -> None:
    found = explanation([request(), chat()], Offered(unknown="no answer within 10 s"))
    assert found["text"][-1] == "Where else it could be had cannot be said: no answer within 10 s."


def test_other_resources_are_the_same_by_their_own_name() -> None:
    shields = [
        Resource(id="guard", provider_id="llama-guard", own_name="ollama/llama-guard3:1b"),
        Resource(id="spare", provider_id="second", own_name="ollama/llama-guard3:1b"),
        Resource(id="words", provider_id="second", own_name="profanity"),
    ]
    of_it = {"api": "safety", "operation": "run_shield", "provider_id": "llama-guard", "model": None}
    span = call(**of_it, asked_for="guard", resource_id="guard")
    assert [one.id for one in choice.others(span, Offered(resources={"safety": shields}))] == ["spare"]
