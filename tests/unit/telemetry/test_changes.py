"""What was changed is told with the span of what changes it, each thing once, and not without end."""

from __future__ import annotations

from typing import Any

from runtime.context import RequestContext, serving
from runtime.providers.inference._openai_compatible.answer_fields import AnswerFields
from runtime.providers.inference._openai_compatible.outgoing_fields import apply_rules, fit_chat
from runtime.providers.inference._openai_compatible.rules import Ignored, LeftOut, Renamed
from runtime.providers.inference._openai_compatible.spec import Chat
from runtime.sse import EventStream
from runtime.telemetry import conventions as names
from runtime.telemetry.changes import note_change, note_warnings
from runtime.telemetry.spans import inside
from tests.unit.telemetry._seen import Seen

FITTED = Chat(
    rules=(LeftOut("store", "x"), Renamed("seed", "random_seed", "x"), Ignored("logit_bias", "does not take it")),
    developers=False,
    tool_choices=frozenset(("auto",)),
    formats=frozenset(("json_schema",)),
    whole_formats=frozenset(("json_schema",)),
)


def changes_of(**body: Any) -> Any:
    """What is told of a chat that is fitted to FITTED."""
    span = Seen().begin()
    with serving(RequestContext()), inside(span):
        fit_chat(FITTED, body, provider_id="acme")
        apply_rules(FITTED.rules, body, provider_id="acme")
    return span.attributes.get(names.CHANGED)


def test_what_a_vendor_gets_otherwise() -> None:
    tool = {"type": "function", "function": {"name": "look"}}
    assert changes_of(
        messages=[{"role": "developer", "content": "be kind"}],
        tools=[tool],
        tool_choice="none",
        response_format={"type": "json_object"},
        stream=True,
        store=True,
        seed=7,
        logit_bias={"1": 1},
    ) == [
        "the tools were left out, of which none was to be called",
        "`response_format` was sent as a schema of any object",
        "what developers say was sent as the system's",
        "`store` was left out",
        "`seed` was sent as `random_seed`",
    ], "what is warned of is said there"
    assert changes_of(messages=[{"role": "user", "content": "hi"}], stream=True) is None


def test_token_counts_that_were_not_asked_for() -> None:
    async def left() -> None:
        return None

    async def nothing() -> Any:
        for frames in ():
            yield frames

    for wanted, told in ((True, None), (False, ["token counts that were not asked for were taken out of the stream"])):
        span = Seen().begin()
        with inside(span):
            fields = AnswerFields(Chat(usage="always"), provider_id="acme")
            fields.of_stream(EventStream(nothing(), left), wants_usage=wanted)
        assert span.attributes.get(names.CHANGED) == told


def test_it_is_told_once_and_not_without_end() -> None:
    span = Seen().begin()
    with inside(span):
        for number in range(100):
            note_change(f"{number % 50} was changed " + "x" * 1000)
        note_change("0 was changed " + "x" * 1000)
    changed = span.attributes[names.CHANGED]
    assert isinstance(changed, list) and len(changed) == 30 and len(set(changed)) == 30
    assert max(map(len, changed)) <= 300
    note_warnings(span, ["`seed` has no effect"])
    assert span.attributes[names.WARNINGS] == ["`seed` has no effect"]


def test_nothing_is_told_where_nothing_is_recorded() -> None:
    note_change("a thing")
    assert Seen().begin().attributes == {}
