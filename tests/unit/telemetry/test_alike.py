"""Spans that have a shape are counted as those that say the same by themselves."""

from __future__ import annotations

import random
from typing import Any

import pytest

from runtime.apis._price import Price
from runtime.telemetry import conventions as names
from runtime.telemetry import found
from runtime.telemetry.alike import Batch
from runtime.telemetry.costs import Costs
from runtime.telemetry.last_hour import LastHour
from runtime.telemetry.metrics.of_spans import SpanMetrics
from runtime.telemetry.metrics.prometheus import TEXT, exposition
from runtime.telemetry.spans import Kind, Shape, Span
from tests.unit.telemetry._seen import Seen

Said = tuple[Kind, dict[str, Any], dict[str, Any]]


def said_by_some(chance: random.Random) -> Said:
    """The kind of a span, what it has in common with others, and what it says by itself."""
    what = chance.choice(("request", "call", "call", "attempt", "tool", "store"))
    if what == "request":
        shape: dict[str, Any] = {names.METHOD: chance.choice(("POST", "GET", "WS", "BREW")), names.URL_SCHEME: "http"}
        shape |= {names.ROUTE: chance.choice(("/v1/a", "/v1/b"))} if chance.random() < 0.8 else {}
        shape[names.STATUS] = chance.choice((200, 404, 503))
        own: dict[str, Any] = {names.REQUEST_ID: "req_1", names.OVERHEAD_MS: 0.1}
        return "server", shape, own | ({names.STATUS: 201} if chance.random() < 0.1 else {})
    if what == "attempt":
        return "client", {names.METHOD: "POST", names.SERVER_ADDRESS: "a", names.SERVER_PORT: chance.choice((1, 2))}, {}
    shape = {names.API: "inference", names.API_OPERATION: "chat_completion", names.PROVIDER_ID: "vendor"}
    if what == "tool":
        shape |= {names.API: "tool_runtime", names.API_OPERATION: "invoke_tool", names.OPERATION: "execute_tool"}
        return "client", shape, {names.TOOL_NAME: chance.choice("ab")}
    if what == "store":
        shape |= {names.API: "vector_stores", names.API_OPERATION: "search_store"}
        return "client", shape, {names.DATA_SOURCE_ID: chance.choice("ab"), names.FOUND: 3}
    shape |= {names.PROVIDER: "openai", names.REQUEST_MODEL: chance.choice(("large", "small", 7))}
    shape |= {names.OPERATION: chance.choice(("chat", "embeddings", "chat"))} if chance.random() < 0.9 else {}
    shape |= {names.RESOURCE_ID: "mine"} if chance.random() < 0.5 else {}
    shape |= {names.STREAM: True} if chance.random() < 0.5 else {}
    own = {}
    for name in (names.INPUT_TOKENS, names.OUTPUT_TOKENS):
        if chance.random() < 0.8:
            own[name] = chance.choice((0, 1, 7, 40, 40, 2**63, -1, "many", True, 1.5))
    if chance.random() < 0.4:
        own[names.FIRST_CHUNK_S] = chance.choice((0.25, 0.5, "soon", 1))
    if chance.random() < 0.2:
        own[chance.choice((names.PROVIDER_ID, names.STREAM, names.SERVICE_TIER))] = "another"
    return chance.choice(("client", "internal")), shape, own


def spans_of(everything: list[Said], *, have_shapes: bool) -> list[Span]:
    """Each takes a multiple of 1/8 s, so that sums are exact in whatever order."""
    trace, shapes, made = Seen().begin().trace, dict[str, Shape](), []
    for place, (kind, common, own) in enumerate(everything):
        span = Span(trace, "", None, "a", kind, {**common, **own}, 1.0, 1.0 + place % 9 / 8)
        if have_shapes:
            span.own = dict(own)
            span.shape = shapes.setdefault(f"{kind} {common}", Shape("a", common))
        made.append(span)
    return made


async def counted(batches: list[list[Span]], price: Price | None) -> tuple[list[str], Any]:
    """What is read at `/metrics`, in the order of the alphabet, and the last hour."""
    metrics, hour, costs = SpanMetrics(), LastHour(), Costs(lambda *words: price if words[2] == "mine" else None)
    for batch in batches:
        costs.note(batch)
        await metrics.export(batch, 0.0)
        await hour.export(batch, 0.0)
    return sorted((await exposition(metrics.instruments, TEXT)).decode().splitlines()), hour.summary()


@pytest.mark.parametrize("seed", range(20))
async def test_a_shape_changes_nothing_of_what_is_counted(seed: int) -> None:
    chance = random.Random(seed)
    everything = [said_by_some(chance) for _ in range(chance.choice((3, 40, 300)))]
    price = Price(input=1, output=4, source="a list")
    alone = await counted([[span] for span in spans_of(everything, have_shapes=False)], price)
    shaped = spans_of(everything, have_shapes=True)
    middle = len(shaped) // 2
    together = await counted([Batch(shaped[:middle]), Batch(shaped[middle:])], price)
    assert [line for line in together[0] if "cost" not in line] == [line for line in alone[0] if "cost" not in line]
    assert together[1] == alone[1]
    usd = [[float(line.split()[-1]) for line in lines if "llama_stack_cost" in line and line[0] != "#"]
           for lines in (together[0], alone[0])]  # fmt: skip
    assert usd[0] == pytest.approx(usd[1], rel=1e-9)  # summed in another order


async def test_more_shapes_than_are_kept_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "MOST", 3)
    metrics = SpanMetrics()
    for _ in range(2):
        said: list[Said] = [("server", {names.METHOD: "GET", names.STATUS: 200 + place}, {}) for place in range(10)]
        await metrics.export(Batch(spans_of(said, have_shapes=True)), 0.0)
        read = (await exposition(metrics.instruments, TEXT)).decode()
    assert [line.split()[-1] for line in read.splitlines() if line.startswith("llama_stack_requests_total{")] == [
        "2"
    ] * 10


async def test_a_cost_is_seen_where_only_the_provider_is_another() -> None:
    """Its spans come alone to who looks up a price, and together to who counts the hour."""
    common = {names.API: "inference", names.OPERATION: "chat", names.RESOURCE_ID: "mine", names.REQUEST_MODEL: "a"}
    own = {names.INPUT_TOKENS: 1000, names.OUTPUT_TOKENS: 0, names.PROVIDER_ID: "another"}
    batch = Batch(spans_of([("client", common, own)], have_shapes=True))
    hour = LastHour()
    Costs(lambda *_: Price(input=1, output=1)).note(batch)
    await hour.export(batch, 0.0)
    assert hour.summary().cost_usd == 0.001
