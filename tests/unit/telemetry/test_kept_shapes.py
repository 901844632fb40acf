"""What many spans have in common is written once, and the view shows spans with and without it alike."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.providers.telemetry.builtin import shapes as shapes_module
from runtime.providers.telemetry.builtin.kept import Kept
from runtime.providers.telemetry.builtin.shapes import DAY_S, Shapes
from runtime.providers.telemetry.builtin.tables import SHAPES, TRACES
from runtime.storage.analytics.config import AnalyticsConfig
from runtime.storage.analytics.handle import Analytics
from runtime.telemetry.spans import Shape, Span
from tests.unit.telemetry._seen import Seen

ALIKE = {"llama_stack.api": "inference", "gen_ai.request.model": "m", "url.path": "/{id}", "stops": ["a", "b"]}
OWN = {"url.path": "/1", "gen_ai.usage.input_tokens": 3}
OLD = (
    '[{"span_id":"0000000000000001","parent_id":null,"name":"old","kind":"server","began":1.5,"seconds":0.25,'
    '"attributes":{"llama_stack.api":"files","http.response.status_code":200}}]'
)


@pytest_asyncio.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    made = Analytics(AnalyticsConfig(), tmp_path)
    made.add(TRACES)  # and with it what its view reads, as for an archive of an older version
    yield made
    await made.close()


def spans_of(*shapes: Shape | None) -> list[Span]:
    """A request of each shape, with a call below it."""
    seen = Seen()
    for shape in shapes:
        root = seen.begin()
        call = Span(root.trace, "", root, "call", "client", {**OWN}, root.began + 0.25)
        call.end()
        if shape is None:
            call.own = {**ALIKE, **OWN}
        else:
            call.name, call.shape = shape.name, shape
        call.ended = call.began + 0.5
        root.end()
    return seen.spans


async def read(analytics: Analytics, what: str, where: str = "true") -> list[tuple[Any, ...]]:
    return (await analytics.query(f"SELECT {what} FROM spans WHERE {where} ORDER BY began")).rows


async def test_a_span_reads_the_same_with_and_without_a_shape(analytics: Analytics) -> None:
    kept = Kept(analytics)
    spans = spans_of(Shape("call", ALIKE), None)
    await kept.export(spans, 0.0)
    await kept.write()
    columns = "trace_id, span_id, parent_id, name, kind, duration_ms, error, api, model, input_tokens, attributes"
    found = await read(analytics, columns, "name = 'call'")
    for span, row in zip(spans[::2], found, strict=True):
        *facts, attributes = row
        assert facts == [
            span.trace.id, span.id, span.parent_id, "call", "client", 500.0, None, "inference", "m", 3
        ]  # fmt: skip
        assert json.loads(attributes) == ALIKE | OWN
    after = await read(analytics, "epoch(began) - lag(epoch(began)) OVER (PARTITION BY trace_id ORDER BY began)")
    assert [one for (one,) in after if one is not None] == pytest.approx([0.25, 0.25], abs=2e-6)


async def test_rows_of_older_versions_are_read_beside_new_ones(analytics: Analytics) -> None:
    await analytics.append(TRACES, [{"began": 1.5, "trace_id": "old", "spans": OLD}])
    kept = Kept(analytics)
    await kept.export(spans_of(Shape("call", ALIKE)), 1000.0)
    await kept.write()
    old, *new = await read(analytics, "span_id, name, kind, epoch(began), duration_ms, api, status, attributes")
    assert old[:-1] == ("0000000000000001", "old", "server", 1.5, 250.0, "files", 200)
    assert json.loads(old[-1]) == {"llama_stack.api": "files", "http.response.status_code": 200}
    assert [row[1] for row in new] == ["POST /", "call"]


async def test_another_process_has_ids_of_its_own(analytics: Analytics) -> None:
    shape = Shape("call", ALIKE)
    for _ in range(2):
        kept = Kept(analytics)
        await kept.export(spans_of(shape), 0.0)
        await kept.write()
    assert (await analytics.query("SELECT count(*), count(DISTINCT id) FROM shapes")).rows == [(2, 2)]
    assert await read(analytics, "model", "name = 'call'") == [("m",), ("m",)]


async def test_no_secret_is_in_a_shape(analytics: Analytics) -> None:
    kept = Kept(analytics, lambda text: text.replace("hunter22", "***"))
    await kept.export(spans_of(Shape("a hunter22", {"model": "hunter22"})), 0.0)
    await kept.write()
    assert (await analytics.query("SELECT name, attributes FROM shapes")).rows == [("a ***", '{"model":"***"}')]


def test_a_day_later_all_get_new_ids_unless_the_disk_has_not_got_the_old_ones() -> None:
    now = [0.0]
    shapes, shape = Shapes(lambda: now[0]), Shape("a", {})
    first = shapes.add(shape, "server")
    now[0] = DAY_S
    shapes.renew()
    assert shapes[shape] == first
    assert [(row["id"], row["began"]) for row in shapes.taken()] == [(first, DAY_S)]
    shapes.renew()
    assert shape not in shapes
    assert shapes.add(shape, "server") not in (0, first)


def test_there_are_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes_module, "MOST", 2)
    now = [0.0]
    shapes = Shapes(lambda: now[0])
    ids = [shapes.add(Shape(name, {}), "server") for name in "abcab"]
    assert ids[3:] == ids[:2]
    assert (ids[2], len(shapes.taken()), len(shapes) <= 2) == (0, 2, True)
    shapes.renew()
    assert shapes.add(Shape("c", {}), "server") == 0
    now[0] = 4000.0
    shapes.renew()
    assert shapes.add(Shape("c", {}), "server") > 0


async def test_half_a_surrogate_pair_is_none_of_a_shape(analytics: Analytics) -> None:
    kept = Kept(analytics)
    await kept.export(spans_of(Shape("no \ud800", {})), 0.0)
    await kept.write()
    assert [name for (name,) in await read(analytics, "name")] == ["POST /", "no ?"]


async def test_nobody_else_removes_them(analytics: Analytics) -> None:
    """They go with the traces that are of them; see `BuiltinTelemetry`."""
    await analytics.append(SHAPES, [{"id": 1, "began": at, "name": "a"} for at in (1, 2, 3)])
    assert await analytics.remove_before(SHAPES, 2.5) == 2
    assert SHAPES.aged_by is None


@pytest.mark.parametrize("secret", ["20240101", "s3cret-of-ours"])
@pytest.mark.parametrize("where", ["shape", "own", "whole"])
async def test_a_secret_costs_no_other_trace_also_where_it_is_a_number(
    analytics: Analytics, secret: str, where: str
) -> None:
    kept = Kept(analytics, lambda text: text.replace(secret, "********"))
    said: dict[str, Any] = {"seed": int(secret) if secret.isdigit() else secret}
    shape = Shape("call", {**ALIKE, **(said if where == "shape" else {})})
    spans = spans_of(shape if where != "whole" else None, Shape("other", ALIKE))
    if where != "shape":
        spans[0].own = {**spans[0].own, **said}
    await kept.export(spans, 0.0)
    await kept.write()
    found = await read(analytics, "name, attributes->>'$.seed', model", "kind = 'client'")
    assert found == [("call", "********", "m"), ("other", None, "m")]
    assert secret not in str((await analytics.query("SELECT * FROM traces, shapes")).rows)


async def test_a_shape_that_was_written_twice_doubles_nothing(analytics: Analytics) -> None:
    kept = Kept(analytics)
    await kept.export(spans_of(Shape("call", ALIKE)), 0.0)
    await kept.write()
    [row] = (await analytics.query("SELECT id, name, kind, attributes FROM shapes")).rows
    again = dict(zip(("id", "name", "kind", "attributes"), row, strict=True))
    await analytics.append(SHAPES, [{**again, "attributes": json.loads(again["attributes"]), "began": 1.0}])
    assert len(await read(analytics, "name", "kind = 'client'")) == 1


async def test_shapes_that_came_while_others_could_never_be_written_are_not_lost(analytics: Analytics) -> None:
    shapes = Shapes(lambda: 0.0)
    shapes.add(Shape("first", ALIKE), "client")
    assert len(shapes.taken()) == 1
    id = shapes.add(Shape("second", {}), "client")
    shapes.forget()
    assert [row["id"] for row in shapes.taken()] == [id], "a row that waits names it"
