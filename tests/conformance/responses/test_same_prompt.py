"""However a conversation is continued, the model reads the same, byte for byte."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from runtime.conformance.stacks import Served
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import Said, says
from tests.conformance.responses.asking import TIME, WEATHER, Asking, Json
from tests.conformance.responses.mcp_asking import mcp
from tests.conformance.responses.ways import ByBareItems, ByConversation, ById, ByItems, ByReferences, BySocket, Talk
from tests.support.raw_http import Listening

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
IMAGE = st.builds(
    lambda url, detail: {"type": "input_image", "image_url": url} | ({"detail": detail} if detail else {}),
    st.sampled_from(["https://example.org/a.png", "data:image/png;base64,iVBORw0KGgo="]),
    st.sampled_from([None, "low", "high"]),
)
DOCUMENT = st.text("ab \nü", min_size=1, max_size=6).map(
    lambda text: {
        "type": "input_file",
        "filename": "a.txt",
        "file_data": base64.b64encode(f"x{text}".encode()).decode(),
    }
)
WORDS = TEXT.map(lambda text: {"type": "input_text", "text": text})
PARTS = st.lists(st.one_of(WORDS, IMAGE, DOCUMENT), min_size=1, max_size=3)
MESSAGE = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "user", "system", "developer"]),
    st.one_of(TEXT, PARTS),
)
PIECES = st.lists(TEXT, max_size=3)
CALL = st.builds(lambda name, city: (name, msgspec.json.encode({"city": city}).decode()),
    st.sampled_from(["get_weather", "get_time", "forecast", "book"]), TEXT)  # fmt: skip
MCP = mcp(require_approval={"never": {"read_only": True}})
ANSWER = st.builds(lambda approve, reason: {"type": "mcp_approval_response", "approve": approve, "reason": reason},
    st.booleans(), st.one_of(st.none(), TEXT))  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[list[Json], Json, Said]]:
    """Turns: the items that the caller adds, other fields of the request, and what the model says to that. Of the calls
    that the model makes, the caller runs some, has to allow others, and knows nothing of yet others.
    """
    turns = []
    answers: list[Json] = []
    for number in range(draw(st.integers(2, 4))):
        messages = draw(st.lists(MESSAGE, min_size=0 if answers else 1, max_size=2))
        made = {f"call_{number}_{place}": call for place, call in enumerate(draw(st.lists(CALL, max_size=3)))}
        fields = {"tools": [WEATHER, TIME, MCP]} | draw(st.sampled_from([{}, {"instructions": "Be brief"}]))
        turns.append(([*answers, *messages], fields, _said(draw, made)))
        answers = [
            {"type": "function_call_output", "call_id": id, "output": draw(st.one_of(TEXT, PARTS))}
            for id, (name, _) in made.items()
            if name.startswith("get_")
        ]
        to_allow = sum(name == "book" for name, _ in made.values())
        answers += [draw(ANSWER) | {"approval_request_id": place} for place in range(to_allow)]
        answers = draw(st.permutations(answers))
    return turns


def _said(draw: st.DrawFn, calls: dict[str, tuple[str, str]]) -> Said:
    deltas: list[Json] = [{"role": "assistant", "content": None}]
    for name in ("reasoning_content", "content", "refusal"):
        deltas += [{name: piece} for piece in draw(st.one_of(st.just([]), PIECES))]
    for index, (id, (name, arguments)) in enumerate(calls.items()):
        half = len(arguments) // 2
        begun = {"name": name, "arguments": arguments[:half]}
        deltas.append({"tool_calls": [{"index": index, "id": id, "type": "function", "function": begun}]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]})
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    return Said(deltas=deltas, finish=finish)


# Not made smaller where one fails: that would take longer than a test may.
@settings(max_examples=40, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(turns=conversations(), data=st.data())
async def test_every_way_of_continuing_gives_the_same_prompt(
    served: Served, vendor: Upstream, door: Listening, turns: list[tuple[list[Json], Json, Said]], data: st.DataObject
) -> None:
    asking = Asking(served.client, vendor)
    async with connect(f"ws://127.0.0.1:{door.port}/v1/responses") as socket:
        ways = [
            *(kind(asking) for kind in (ById, ByItems, ByBareItems, ByReferences, ByConversation)),
            BySocket(asking, talk=Talk(socket)),
        ]
        for items, fields, said in turns:
            prompts = {}
            for way in ways:
                way.streams = data.draw(st.booleans())
                asking.says(said, says("After what a server gave back"))
                await way.turn(way.answering(items), fields)
                sent = msgspec.json.decode(vendor.calls("/chat/completions")[-1].raw, type=dict[str, msgspec.Raw])
                prompts[type(way).__name__] = bytes(sent["messages"])
            assert len(set(prompts.values())) == 1, prompts
    vendor.seen.clear()
    vendor.misbehaves = None
