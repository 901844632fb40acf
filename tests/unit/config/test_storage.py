"""Where things are kept is checked before anything starts: the backend is there, and can hold them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from runtime.apis._api import Api, Store
from runtime.config.loading import parse_run_config
from runtime.config.storage import references_in
from runtime.errors import ConfigInvalid
from runtime.stack.plan import Plan, plan, read_run_config
from runtime.storage.placement import KeyValueReference
from tests.support.house import Plain, furnish, plain_spec, probe_spec


class Part(BaseModel):
    persistence: KeyValueReference | None = None


class KeepingConfig(BaseModel):
    """The settings of a provider that keeps something."""

    persistence: KeyValueReference | None = None
    part: Part = Part()
    more: list[KeyValueReference] = []
    by_name: dict[str, KeyValueReference] = {}


HEAD = """\
distro_name: x
storage:
  backends:
    kv_default: {type: kv_memory}
    tables: {type: sql_sqlite}
"""


@pytest.fixture(autouse=True)
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = probe_spec(config=f"{__name__}:KeepingConfig", stores=("jottings",))
    rows = Api("rows", Plain, mounted_with=("probe",), stores=(Store(name="history", families=("sql",)),))
    furnish(monkeypatch, [spec, plain_spec("rows", default=True)], more=[rows])


def text_of(config: str, stores: str = "{}") -> str:
    provider = f"- provider_id: p\n    provider_type: inline::prober\n    config:\n      {config}\n"
    return f"{HEAD}  stores: {stores}\nproviders:\n  probe:\n  {provider}"


def planned(text: str) -> Plan:
    return plan(parse_run_config(text, env={}))


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as raised:
        plan(parse_run_config(text, file="run.yaml", env={}))
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("persistence: {backend: B, namespace: n}", "persistence"),
        ("part: {persistence: {backend: B, namespace: n}}", "part.persistence"),
        ("more: [{backend: kv_default, namespace: n}, {backend: B, namespace: n}]", "more[1]"),
        ("by_name: {a: {backend: B, namespace: n}}", "by_name.a"),
    ],
)
def test_a_providers_own_reference_must_lead_to_keys_and_values(config: str, path: str) -> None:
    place = f"run.yaml:12: providers.probe[0].config.{path}.backend: "
    assert problems_of(text_of(config.replace("B", "kv_defalt"))) == [
        f"{place}there is no backend `kv_defalt` (did you mean `kv_default`?)"
    ]
    assert problems_of(text_of(config.replace("B", "tables"))) == [
        f"{place}it needs a `kv_` backend, `tables` is `sql_sqlite` (there is `kv_default`)"
    ]


def test_a_reference_that_only_the_default_has_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Defaulting(BaseModel):
        persistence: KeyValueReference = KeyValueReference(backend="elsewhere", namespace="n")

    monkeypatch.setattr(f"{__name__}.KeepingConfig", Defaulting)
    assert problems_of(text_of("{}")) == [
        "run.yaml:12: providers.probe[0].config.persistence.backend: there is no backend `elsewhere`"
        " (did you mean `kv_default` or `tables`?)"
    ]


def test_the_stores_of_apis_providers_and_the_stack_are_known() -> None:
    stores = planned(text_of("{}")).stores
    assert sorted(stores) == ["history", "jobs", "jottings", "metadata"]
    assert stores["jottings"] == Store(name="jottings")
    assert stores["metadata"].part == "registry"


@pytest.mark.parametrize(
    ("stores", "problem"),
    [
        (
            "{history: {backend: tables, table_name: t}, jobs: {backend: tables, table_name: t}}",
            "jobs: the store `history` is at this place already (give one of them another `table_name`)",
        ),
        (
            "{jottings: {backend: kv_default, namespace: registry}}",
            "jottings: the store `metadata` is at this place already (give one of them another `namespace`)",
        ),
        (
            "{history: {backend: tables, table_name: jobs}}",
            "history: the store `jobs` is at this place already (give one of them another `table_name`)",
        ),
    ],
)
def test_two_stores_cannot_be_at_one_place(stores: str, problem: str) -> None:
    assert problems_of(text_of("{}", stores)) == [f"run.yaml:6: storage.stores.{problem}"]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (
            "persistence: {backend: kv_default, namespace: registry}",
            "persistence: the store `metadata` is at this place already (give one of them another `namespace`)",
        ),
        (
            "{more: [{backend: kv_default, namespace: n}], by_name: {a: {backend: kv_default, namespace: n}}}",
            "by_name.a: `providers.probe[0].config.more[0]` is at this place already (give one of them another"
            " `namespace`)",
        ),
    ],
)
def test_a_provider_has_a_place_of_its_own(config: str, problem: str) -> None:
    assert problems_of(text_of(config)) == [f"run.yaml:12: providers.probe[0].config.{problem}"]


def test_a_known_store_must_be_in_a_backend_that_can_hold_it() -> None:
    stores = "{metadata: {backend: tables}, jottings: {backend: tables}, history: {backend: kv_default}}"
    assert sorted(problems_of(text_of("{}", stores))) == [
        f"run.yaml:6: storage.stores.{problem}"
        for problem in (
            "history.backend: the store `history` needs a `sql_` backend, `kv_default` is `kv_memory` (there is"
            " `tables`)",
            "jottings.backend: the store `jottings` needs a `kv_` backend, `tables` is `sql_sqlite` (there is"
            " `kv_default`)",
            "metadata.backend: the store `metadata` needs a `kv_` backend, `tables` is `sql_sqlite` (there is"
            " `kv_default`)",
        )
    ]


def test_a_store_that_nobody_keeps_may_be_placed_where_there_is_a_backend() -> None:
    text = text_of("{}", "{inference: {backend: tables, table_name: t}, connectors: {backend: kv_default}}")
    run = parse_run_config(text, env={})
    assert run.warnings == []
    with pytest.raises(ConfigInvalid, match="there is no backend `tabels`"):
        parse_run_config(text.replace("backend: tables", "backend: tabels"), env={})


def test_it_is_told_whatever_else_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    text = text_of("persistence: {backend: tables, namespace: n}", "{metadata: {backend: tables}}") + "srever: 1\n"

    def lines() -> list[int | None]:
        file.write_text(text)
        with pytest.raises(ConfigInvalid) as raised:
            read_run_config(file, {})
        return [problem.line for problem in raised.value.problems]

    assert lines() == [6, 12, 13]
    text = text.replace("type: sql_sqlite", "typ: sql_sqlite")
    assert 12 not in lines()  # what `tables` is, nobody knows


def test_a_build_does_without_a_backend_that_is_yet_to_be_named() -> None:
    text = text_of("persistence: {backend: '${env.PLACE}', namespace: n}", "{metadata: {backend: '${env.PLACE}'}}")
    plan(parse_run_config(text, env={}, to_build=True))


def test_references_are_found_however_deep() -> None:
    reference = KeyValueReference(backend="b", namespace="n")
    config = KeepingConfig(part=Part(persistence=reference), more=[reference], by_name={"a": reference})
    assert [steps for steps, _ in references_in(config)] == [("part", "persistence"), ("more", 0), ("by_name", "a")]


def test_settings_that_change_nothing_where_a_store_is_are_told() -> None:
    settings = "max_write_queue_size: 10, num_writers: 4"
    text = (
        HEAD
        + f"""\
    server: {{type: sql_postgres, host: h}}
  stores:
    history: {{backend: tables, table_name: t, {settings}}}
    inference: {{backend: server, table_name: t, namespace: n, {settings}}}
    metadata: {{backend: kv_default, namespace: n, table_name: t, enabled: false, {settings}}}
    jottings: {{backend: kv_default, namespace: n, num_writers: null}}
"""
    )
    run = parse_run_config(text, file="run.yaml", env={})
    assert run.warnings == [
        f"`storage.stores.{place}` (line {line}): this has no effect here: {reason}"
        for place, line, reason in (
            ("history.num_writers", 8, "`sql_sqlite` has one writer"),
            ("inference.namespace", 9, "`server` is a `sql_` backend"),
            *(
                (f"metadata.{setting}", 10, "`kv_default` is a `kv_` backend")
                for setting in ("table_name", "enabled", "max_write_queue_size", "num_writers")
            ),
        )
    ]
