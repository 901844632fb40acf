"""What a run config registers: any kind that an API states is read, checked and given an owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import Field

from runtime.apis._api import Api
from runtime.apis._request import Registered, Request, Response
from runtime.apis._resources import Resource
from runtime.apis.models import ConfiguredModel
from runtime.config.loading import parse_run_config
from runtime.config.resources import owner_of
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan
from tests.support.house import Plain, furnish, probe_spec


class ConfiguredGadget(Request):
    gadget_id: str
    provider_gadget_id: str | None = None
    provider_id: str | None = None
    size: int = Field(0, ge=0)


def _shown(gadget: Registered) -> Response:
    return Response()


GADGET = Resource(
    kind="gadget",
    served_by="probe",
    id_field="gadget_id",
    config_key="gadgets",
    older_keys=("gizmos",),
    older_id_fields=("gizmo_id",),
    configured=ConfiguredGadget,
    answer=_shown,
)
HEAD = """\
distro_name: x
providers:
  probe:
  - {provider_id: p, provider_type: inline::prober}
"""


@pytest.fixture(autouse=True)
def gadgets(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(monkeypatch, [probe_spec()], more=[Api("gadgets", Plain, resource=GADGET)])


def planned(text: str, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    resources = plan(parse_run_config(HEAD + text, env=env or {})).resources
    return [gadget.model_dump(exclude_defaults=True) for gadget in resources["gadgets"]]


def problems_of(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigInvalid) as raised:
        plan(parse_run_config(HEAD + text, file="run.yaml", env=env or {}))
    return [str(problem) for problem in raised.value.problems]


def test_a_kind_that_an_api_states_is_read_from_its_list() -> None:
    entries = "[{gadget_id: g, size: '2'}, {gadget_id: 7, provider_gadget_id: null}]"
    assert planned(f"registered_resources: {{gadgets: {entries}}}\n") == [
        {"gadget_id": "g", "size": 2},
        {"gadget_id": "7"},
    ]


def test_one_whose_provider_or_name_is_off_is_left_out() -> None:
    entries = "[{gadget_id: g, provider_id: '${env.NO:+p}'}, {gadget_id: '${env.NO:=}'}, {gadget_id: h}]"
    assert planned(f"registered_resources: {{gadgets: {entries}}}\n") == [{"gadget_id": "h"}]


@pytest.mark.parametrize(
    "text",
    [
        "gadgets: [{gadget_id: g}]",
        "gizmos: [{gadget_id: g}]",
        "gizmos: [{gizmo_id: g}]",
        "gizmos: [g]",
        "registered_resources: {gizmos: [{gizmo_id: g}], gadgets: null}",
    ],
)
def test_older_names_lead_to_the_same(text: str) -> None:
    assert planned(f"{text}\n") == [{"gadget_id": "g"}]
    warnings = parse_run_config(f"{HEAD}{text}\n", env={}).warnings
    assert "this is now `registered_resources.gadgets`" in warnings[0]
    assert ("this is now called `gadget_id`" in warnings[-1]) == ("gizmo_id" in text)


def test_an_older_name_of_the_owners_name_is_read_too() -> None:
    text = "gizmos: [{gizmo_id: g, provider_gizmo_id: own}]\n"
    assert planned(text) == [{"gadget_id": "g", "provider_gadget_id": "own"}]


def test_what_is_wrong_is_said_with_its_line() -> None:
    text = """\
registered_resources:
  gadgets:
  - gadget_id: a
    provider_id: q
  - {gadget_id: b, size: -1}
  - {gadgetid: c}
  - {gadget_id: d, provider_gadget_id: one}
  - {gadget_id: d, provider_gadget_id: two}
"""
    assert problems_of(text) == [
        "run.yaml:8: registered_resources.gadgets[0].provider_id: gadget `a` names the provider `q`, which is not"
        " configured (there are p)",
        "run.yaml:9: registered_resources.gadgets[1].size: expected a number of at least 0, got `-1`",
        "run.yaml:10: registered_resources.gadgets[2].gadget_id: is missing",
        "run.yaml:10: registered_resources.gadgets[2].gadgetid: unknown key `gadgetid`"
        " (did you mean `gadget_id` or `provider_gadget_id`?)",
        "run.yaml:12: registered_resources.gadgets[4].gadget_id: two gadgets have the name `d` (the other is at"
        " registered_resources.gadgets[3])",
    ]


def test_in_an_older_file_it_is_said_where_it_stands() -> None:
    assert problems_of("gizmos:\n- {gizmo_id: '${env.NO:=}'}\n- {gizmo_id: g, provider_id: q}\n") == [
        "run.yaml:7: gizmos[1].provider_id: gadget `g` names the provider `q`, which is not configured (there are p)"
    ]


def test_a_value_from_a_variable_names_the_variable() -> None:
    text = "registered_resources: {gadgets: [{gadget_id: g, size: '${env.SIZE:=1}'}]}\n"
    assert planned(text) == [{"gadget_id": "g", "size": 1}]
    assert problems_of(text, {"SIZE": "large"}) == [
        "run.yaml:5: registered_resources.gadgets[0].size: expected a whole number, got `large`"
        " (the value comes from `SIZE`)"
    ]


def test_one_without_a_provider_needs_that_there_is_only_one() -> None:
    models = "registered_resources: {gadgets: [{gadget_id: g}], models: [{model_id: m}]}\n"
    assert planned(models) == [{"gadget_id": "g"}]
    (problem,) = problems_of(
        "  inference:\n  - {provider_id: a, provider_type: 'remote::ollama'}\n"
        "  - {provider_id: b, provider_type: 'remote::ollama'}\n" + models
    )
    assert "model `m` names no provider, and there are several (one of a, b)" in problem


@pytest.mark.parametrize("nothing", ["[]", "null"])
def test_an_older_kind_without_a_provider_is_fine_while_there_is_nothing_in_it(nothing: str) -> None:
    plan(parse_run_config(f"{HEAD}registered_resources: {{benchmarks: {nothing}}}\n", env={}))


@pytest.mark.parametrize(
    ("key", "entries", "hint"),
    [
        ("gadget", "[{a: b}]", "did you mean `gadgets`?"),
        ("gadget", "[]", "did you mean `gadgets`?"),
        ("nonsense", "null", "remove them"),
    ],
)
def test_a_kind_that_is_not_served_is_refused(key: str, entries: str, hint: str) -> None:
    assert problems_of(f"registered_resources: {{{key}: {entries}}}\n") == [
        f"run.yaml:5: registered_resources.{key}: this version serves no {key} ({hint})"
    ]


def test_a_section_of_today_is_no_older_list_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = replace(
        GADGET, kind="vector_store", config_key="vector_stores", older_keys=("vector_dbs",), served_by="vector_io"
    )
    furnish(monkeypatch, [probe_spec()], more=[Api("vector_stores", Plain, resource=stores)])
    text = "vector_stores: {default_provider_id: p}\nvector_dbs: [{gadget_id: g}]\n"
    run = parse_run_config(HEAD + text, env={})
    assert run.vector_stores == {"default_provider_id": "p"}
    assert plan(run).resources["vector_stores"] == (ConfiguredGadget(gadget_id="g"),)


def test_an_older_list_of_names_says_what_is_missing_at_once() -> None:
    assert problems_of("datasets: [squad]\n") == [
        "run.yaml:5: datasets[0].purpose: is missing",
        "run.yaml:5: datasets[0].source: is missing",
    ]


def test_a_table_of_resources_has_no_providers() -> None:
    assert problems_of("  gadgets: []\n") == [
        "run.yaml:5: providers.gadgets: `gadgets` is a table of resources and has no providers of its own"
        " (its providers are those of `probe`)"
    ]


@pytest.mark.parametrize(
    ("provider_id", "serving", "expected"),
    [
        (None, ["a"], "a"),
        ("all", ["b", "a"], "b"),
        ("a", ["b", "a"], "a"),
        ("off", ["b", "a"], None),
        ("all", [], None),
    ],
)
def test_the_owner_of_a_resource(provider_id: str | None, serving: list[str], expected: str | None) -> None:
    assert owner_of(ConfiguredModel(model_id="m", provider_id=provider_id), serving) == expected
    assert owner_of(ConfiguredGadget(gadget_id="g", provider_id=provider_id), serving) == expected
