"""Plans: what a run config starts, in which order; or everything that is wrong with it, at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from runtime.config.run_config import RunConfig, redacted
from runtime.conformance.stacks import run_config
from runtime.errors import ConfigInvalid, Problem
from runtime.stack.plan import Plan, check_required, plan, read_run_config
from runtime.storage.backends import BACKENDS
from tests.support.house import furnish, plain_spec, probe_spec
from tests.support.stacks import openai_at


def problems_of(run: RunConfig) -> tuple[Problem, ...]:
    with pytest.raises(ConfigInvalid) as caught:
        plan(run, file="run.yaml")
    return caught.value.problems


def ids(planned: Plan, api: str) -> list[str]:
    return [provider.provider_id for provider in planned.of(api)]


def test_a_small_config_gets_what_comes_with_it() -> None:
    planned = plan(run_config(openai_at("http://localhost:1/v1")))
    assert sorted(planned.apis) == [
        "agents",
        "connectors",
        "containers",
        "conversations",
        "earlier_inference",
        "inference",
        "inspect",
        "mcp",
        "models",
        "prompts",
        "providers",
        "responses",
        "synthetic_data_generation",
    ]
    assert ids(planned, "inference") == ["vendor"]
    assert ids(planned, "inspect") == ["inspect"]
    needed = {one for api in planned.apis for provider in planned.of(api) for one in provider.spec.packages}
    assert {*planned.packages} == needed and {"cryptography>=46", "pandas>=2.2"} <= needed
    listed = plan(run_config(openai_at("http://localhost:1/v1"), apis=["inference"]))
    assert "responses" not in listed.apis, "what is listed is all that is mounted"
    listed = plan(run_config(openai_at("http://localhost:1/v1"), apis=["inference", "responses"]))
    assert {"connectors", "conversations", "prompts"} <= {*listed.apis}, "what comes with responses"


def test_no_providers_at_all_is_a_stack_that_can_be_asked_how_it_is() -> None:
    planned = plan(run_config())
    assert {"earlier_inference", "inference", "inspect", "models", "providers"} == set(planned.apis)
    assert planned.of("inference") == ()


def test_only_listed_apis_are_mounted_and_what_they_need() -> None:
    planned = plan(run_config(openai_at("http://localhost:1/v1"), apis=["inspect"]))
    assert sorted(planned.apis) == ["inspect", "providers"]


def test_packages_are_those_of_every_provider_that_is_on_each_once() -> None:
    engines = [
        {"provider_id": "a", "provider_type": "inline::meta-reference"},
        {"provider_id": "b", "provider_type": "inline::meta-reference"},
        {"provider_id": "${env.NOBODY:=}", "provider_type": "inline::sentence-transformers"},
    ]
    packages = plan(run_config(*engines)).packages
    assert sum(package.startswith("torch") for package in packages) == 1
    assert not any("minilm" in package for package in packages)
    assert list(packages) == sorted(packages)


def test_every_problem_is_told_at_once_with_its_place_and_the_nearest_name() -> None:
    run = run_config(
        openai_at("http://localhost:1/v1"),
        {"provider_id": "x", "provider_type": "remote::olama"},
        {"provider_id": "y", "provider_type": "remote::vllm", "config": {"base_ulr": "http://localhost"}},
        models=[
            {"model_id": "m", "provider_id": "vendr"},
            {"model_id": "n"},
        ],
        apis=["inference", "infrence"],
    )
    run.providers["agnets"] = []
    found = {problem.path: problem for problem in problems_of(run)}
    assert found["providers.agnets"].message == "there is no API `agnets`"
    assert found["apis[1]"].hint.startswith("did you mean `inference`")
    assert found["providers.inference[1].provider_type"].hint == "did you mean `remote::ollama`?"
    assert "base_ulr" in " ".join(f"{problem.path} {problem.message}" for problem in found.values())
    assert found["registered_resources.models[0].provider_id"].hint == "did you mean `vendor`?"
    assert "names no provider" in found["registered_resources.models[1].provider_id"].message
    assert len(found) == 6
    assert {problem.file for problem in found.values()} == {"run.yaml"}


def test_two_providers_of_one_id_are_a_problem() -> None:
    """Loading finds those of the file; this is for providers that the command line adds."""
    run = run_config(openai_at("http://localhost:1/v1"))
    run.providers["inference"] *= 2
    assert [problem.message for problem in problems_of(run)] == ["two providers of inference have the id `vendor`"]


def test_an_api_that_nothing_routes_has_one_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(monkeypatch, [probe_spec()])
    several = [{"provider_id": f"p{number}", "provider_type": "inline::prober"} for number in range(3)]
    run = run_config(openai_at("http://localhost:1/v1", "a"), openai_at("http://localhost:1/v1", "b"))
    run.providers |= run_config(providers={"probe": several}).providers
    assert [(problem.path, problem.line, problem.message) for problem in problems_of(run)] == [
        (f"providers.probe[{place}]", 1, "the API probe can have only one provider, and already has `p0`")
        for place in (1, 2)
    ]


def test_every_secret_of_a_plan_is_known_however_deep() -> None:
    class Inner(BaseModel):
        password: str = "plain-under-a-name"
        user: str = "me"

    class Deep(BaseModel):
        inner: Inner = Inner()
        keys: list[SecretStr] = [SecretStr("in-a-list")]
        headers: dict[str, Any] = {"Authorization": "Bearer x", "accept": "*/*", "api_keys": ["a", 1, None]}
        unset: SecretStr | None = None
        address: str = "postgresql://me:p%40ss@db/x"

    planned = plan(run_config(openai_at("http://localhost:1/v1")))
    assert list(planned.secrets()) == ["sk-configured-secret"]
    deep = replace(planned.providers[0], config=Deep())
    assert sorted(deep.secrets()) == [*("Bearer x", "a", "in-a-list", "p%40ss", "p@ss", "plain-under-a-name")]


WITH_SECRET = {
    "kv_mongodb": {"url": "mongodb://me:canary%2F77@db.example"},
    "kv_postgres": {"connection_string": "postgresql://db.example/x?user=me&password=canary%2F77"},
    "kv_redis": {"url": "redis://:canary%2F77@db.example"},
    "sql_postgres": {"connection_string": "postgresql://me:canary%2F77@db.example/x"},
}


@pytest.mark.parametrize("kind", [name for name, one in BACKENDS.items() if "password" in one.config.model_fields])
def test_secrets_of_storage_are_known_to_the_plan_and_to_each_provider(kind: str) -> None:
    for settings in ({"password": "${env.SECRET}"}, WITH_SECRET[kind]):
        storage = {"backends": {"kv_memory": {"type": "kv_memory"}, "other": {"type": kind, **settings}}}
        run = run_config(openai_at("http://localhost:1/v1"), storage=storage, env={"SECRET": "canary/77"})
        planned = plan(run)
        assert "canary/77" in {*planned.secrets()}
        assert all("canary/77" in {*provider.secrets()} for provider in planned.providers)
        assert "canary" not in repr(planned)
        assert "canary" not in json.dumps(redacted(run))


def test_a_model_of_a_provider_that_is_off_is_no_problem() -> None:
    off = {"provider_id": "${env.NOBODY:+my-vllm}", "provider_type": "remote::vllm"}
    for provider_id in ("vllm", "my-vllm"):
        plan(
            run_config(openai_at("http://localhost:1/v1"), off, models=[{"model_id": "m", "provider_id": provider_id}])
        )


OTHER = [{"provider_model_id": "b"}, {"provider_model_id": "auto"}, {"provider_id": "two"}, {"model_validation": True}]


@pytest.mark.parametrize("other", OTHER)
def test_one_name_for_two_models_is_a_problem_that_shows_both(other: dict[str, Any]) -> None:
    models = [{"model_id": "m", "provider_id": "one", "provider_model_id": "a", **more} for more in ({}, other)]
    with pytest.raises(ConfigInvalid) as caught:
        plan(run_config(openai_at("http://a.test", "one"), openai_at("http://a.test", "two"), models=models))
    (problem,) = caught.value.problems
    assert problem.message == "two models have the name `m`"
    assert (problem.path, problem.hint) == (
        "registered_resources.models[1].model_id", "the other is at registered_resources.models[0]",
    )  # fmt: skip


@pytest.mark.parametrize("facts", [{}, {"provider_model_id": "auto"}, {"model_validation": True}])
def test_one_model_named_twice_alike_is_no_problem(facts: dict[str, Any]) -> None:
    """Nor is one whose other provider is off."""
    off = {"provider_id": "${env.NOBODY:+vllm}", "provider_type": "remote::vllm"}
    models = [{"model_id": "m", "provider_id": name, **facts} for name in ("one", "one", "vllm")]
    plan(run_config(openai_at("http://a.test", "one"), off, models=models))


def test_every_problem_of_connectors_is_found_at_once() -> None:
    """The identities are in the settings of their provider, so that both have to be read."""
    identities = {"github": {"type": "bearer", "token": "x"}}
    provider = {"provider_id": "mcp", "provider_type": "inline::builtin", "config": {"identities": identities}}
    servers = [
        {"connector_id": "a", "url": "https://a.example/mcp", "identity": "gihub"},
        {"connector_id": "b", "command": ["server"]},
        {"connector_id": "b", "url": "http://127.0.0.1:1/mcp"},
        {"connector_id": "c", "url": "ftp://c.example"},
        {"connector_id": "d"},
    ]
    with pytest.raises(ConfigInvalid) as caught:
        plan(run_config(providers={"connectors": [provider]}, connectors=servers))
    assert {(problem.path, problem.hint) for problem in caught.value.problems} == {
        ("connectors[0].identity", "did you mean `github`?"),
        ("connectors[2].connector_id", "the other is at connectors[1]"),
        ("connectors[3].url", None),
        ("connectors[4]", None),
    }


def test_what_is_off_says_what_turns_it_on() -> None:
    off = {"provider_id": "${env.VLLM_URL:+vllm}", "provider_type": "remote::vllm"}
    planned = plan(run_config(off))
    assert [(one.provider_type, one.enabled_by) for one in planned.off] == [("remote::vllm", ("VLLM_URL",))]


def test_a_required_provider_must_be_on() -> None:
    off = {"provider_id": "${env.VLLM_URL:+vllm}", "provider_type": "remote::vllm"}
    planned = plan(run_config(openai_at("http://localhost:1/v1"), off))
    check_required(["vendor"], planned)
    with pytest.raises(ConfigInvalid) as caught:
        check_required(["vllm", "vendro"], planned)
    assert [problem.hint for problem in caught.value.problems] == ["it is off: set VLLM_URL", "did you mean `vendor`?"]
    with pytest.raises(ConfigInvalid) as caught:
        check_required(["vlm"], planned)
    assert [problem.hint for problem in caught.value.problems] == ["did you mean `vllm`? it is off: set VLLM_URL"]


def house(monkeypatch: pytest.MonkeyPatch, **apis: dict[str, Any]) -> RunConfig:
    """A run config with one provider of each of these APIs; their specs have these facts."""
    furnish(monkeypatch, [plain_spec(api, **facts) for api, facts in apis.items()], plain=apis)
    providers = {api: [{"provider_id": f"the-{api}", "provider_type": "inline::only"}] for api in apis}
    return run_config(providers=providers)


def order(planned: Plan) -> list[str]:
    return [provider.api for provider in planned.providers if provider.provider_id.startswith("the-")]


def test_providers_stand_after_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    run = house(
        monkeypatch, helpers={"needs": ("responses",)}, responses={"needs": ("vectors", "files")}, vectors={}, files={}
    )
    assert order(plan(run)) == ["files", "vectors", "responses", "helpers"]


def test_what_may_be_used_comes_first_too_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    run = house(monkeypatch, helpers={"may_use": ("vectors", "inference")}, vectors={})
    assert order(plan(run)) == ["vectors", "helpers"]


def test_a_need_wins_over_what_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    run = house(monkeypatch, alpha={"may_use": ("beta",)}, beta={"needs": ("alpha",)}, gamma={"may_use": ("gamma",)})
    assert order(plan(run)) == ["alpha", "beta", "gamma"]


def test_a_cycle_of_needs_is_shown_once_with_all_its_apis(monkeypatch: pytest.MonkeyPatch) -> None:
    run = house(
        monkeypatch,
        first={"needs": ("alpha",)},
        alpha={"needs": ("beta",)},
        beta={"needs": ("gamma",)},
        gamma={"needs": ("alpha",)},
    )
    assert [problem.message for problem in problems_of(run)] == [
        "these APIs need each other: alpha -> beta -> gamma -> alpha"
    ]


def test_two_cycles_are_two_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    run = house(monkeypatch, alpha={"needs": ("beta",)}, beta={"needs": ("alpha",)}, gamma={"needs": ("gamma",)})
    assert [problem.message for problem in problems_of(run)] == [
        "these APIs need each other: alpha -> beta -> alpha",
        "these APIs need each other: gamma -> gamma",
    ]


def test_a_need_that_nobody_serves_names_who_could(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(
        monkeypatch, [plain_spec("helpers", needs=("probe", "nothing")), probe_spec()], plain=["helpers", "nothing"]
    )
    run = run_config(providers={"helpers": [{"provider_id": "a", "provider_type": "inline::only"}]})
    hints = [problem.hint for problem in problems_of(run)]
    assert hints == [
        "add one under providers.probe: inline::prober",
        "add one under providers.nothing: none exists yet",
    ]


def test_models_can_be_needed_since_routing_serves_them(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(monkeypatch, [plain_spec("helpers", needs=("models", "inference"))], plain=["helpers"])
    providers = {
        "helpers": [{"provider_id": "a", "provider_type": "inline::only"}],
        "inference": [openai_at("http://localhost:1/v1")],
    }
    assert [provider.api for provider in plan(run_config(providers=providers)).providers][:2] == [
        "inference",
        "helpers",
    ]


def test_an_api_that_is_needed_is_there_although_nobody_lists_it(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(
        monkeypatch,
        [plain_spec("helpers", needs=("inference", "notes")), plain_spec("notes", default=True, needs=("probe",)),
         probe_spec(default=True)],
        plain=["helpers", "notes"],
    )  # fmt: skip
    helpers = [{"provider_id": "a", "provider_type": "inline::only"}]
    providers = {"helpers": helpers, "inference": [openai_at("http://localhost:1/v1")]}
    planned = plan(run_config(providers=providers, apis=["helpers"]))
    assert sorted(planned.apis) == ["helpers", "inspect", "providers"]
    assert sorted(planned.inner_apis) == ["inference", "models", "notes", "probe"]
    assert (ids(planned, "notes"), ids(planned, "probe")) == (["notes"], ["probe"])


def test_resources_that_nobody_serves_are_warned_of() -> None:
    planned = plan(run_config(models=[{"model_id": "m"}]))
    assert planned.warnings == (
        "`registered_resources.models` (line 1): has no effect: no provider of inference is on",
    )


def with_stores(registered: list[dict[str, Any]] | None = None, **sections: Any) -> RunConfig:
    """A run config with two vector databases, of which one is off."""
    databases = [
        {"provider_id": "chromadb", "provider_type": "inline::chromadb"},
        {"provider_id": "faiss", "provider_type": "inline::faiss"},
        {"provider_id": "${env.PG_HOST:+pgvector}", "provider_type": "remote::pgvector"},
    ]
    engine = {"provider_id": "sentence-transformers", "provider_type": "inline::sentence-transformers"}
    providers = {"inference": [engine], "vector_io": databases}
    return run_config(providers=providers, registered_resources={"vector_stores": registered or []}, **sections)


@pytest.mark.parametrize(
    ("named", "message", "hint"),
    [
        ("fais", "the provider `fais` of vector_io is not configured", "did you mean `faiss`?"),
        ("qdrant", "the provider `qdrant` of vector_io is not configured", "there are chromadb, faiss"),
        (
            "pgvector",
            "the provider `pgvector` of vector_io is off",
            "set `PG_HOST`, or name another one: chromadb, faiss",
        ),
    ],
)
def test_the_provider_that_settings_name_must_be_there(named: str, message: str, hint: str) -> None:
    [problem] = problems_of(with_stores(vector_stores={"default_provider_id": named}))
    assert (problem.path, problem.message) == ("vector_stores.default_provider_id", message)
    assert problem.hint == hint
    plan(with_stores(vector_stores={"default_provider_id": "faiss"}))


def test_the_provider_that_the_settings_of_a_listed_provider_name_must_be_there() -> None:
    listed = {
        "inference": [openai_at("http://localhost:1/v1")],
        "vector_io": [{"provider_id": "faiss", "provider_type": "inline::faiss"}],
        "vector_stores": [
            {"provider_id": "s", "provider_type": "inline::builtin", "config": {"default_provider_id": "qdrant"}}
        ],
    }
    [problem] = problems_of(run_config(providers=listed))
    assert problem.path == "providers.vector_stores[0].config.default_provider_id"


def test_vector_stores_need_no_provider_but_no_two_have_one_id() -> None:
    stores = [{"vector_store_id": "a"}, {"vector_store_id": "b", "provider_id": "faiss", "name": "B"}]
    found = plan(with_stores(stores)).resources["vector_stores"]
    assert [one.model_dump(exclude_defaults=True) for one in found] == [
        {"vector_store_id": "a"},
        {"vector_store_id": "b", "provider_id": "faiss", "vector_store_name": "B"},
    ]
    wrong = [*stores, {"vector_store_id": "a", "embedding_model": "m"}, {"vector_store_id": "c", "provider_id": "all"}]
    assert [f"{problem.path}: {problem.message} ({problem.hint})" for problem in problems_of(with_stores(wrong))] == [
        "registered_resources.vector_stores[2].vector_store_id: two vector stores have the name `a`"
        " (the other is at registered_resources.vector_stores[0])",
        "registered_resources.vector_stores[3].provider_id: vector store `c` names the provider `all`, which is not"
        " configured (there are chromadb, faiss)",
    ]


def test_vector_stores_without_their_api_are_warned_of() -> None:
    [warning] = plan(with_stores([{"vector_store_id": "a"}], apis=["inference"])).warnings
    assert warning.endswith("has no effect: the API vector_stores is not mounted")


def test_an_api_that_is_listed_without_a_provider_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(monkeypatch, [probe_spec()])
    assert [problem.hint for problem in problems_of(run_config(apis=["probe"]))] == ["add one under providers.probe"]


def test_a_default_provider_serves_an_api_that_the_config_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(monkeypatch, [probe_spec(default=True), probe_spec("other")])
    assert ids(plan(run_config(apis=["probe"])), "probe") == ["probe"]
    named = {"probe": [{"provider_id": "mine", "provider_type": "inline::other"}]}
    assert ids(plan(run_config(providers=named)), "probe") == ["mine"]


def test_problems_of_shape_and_of_providers_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        """
version: 2
distro_name: t
providers:
  inference:
  - provider_id: o
    provider_type: remote::olama
  - provider_id: x
    provider_type: remote::openai
    config: {base_ulr: "http://x"}
server: {prot: 1}
"""
    )
    with pytest.raises(ConfigInvalid) as raised:
        read_run_config(file, {})
    assert [problem.path for problem in raised.value.problems] == [
        "providers.inference[0].provider_type",
        "providers.inference[1].config.base_ulr",
        "server.prot",
    ]


def test_a_provider_that_is_off_and_unknown_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        """
version: 2
distro_name: t
providers:
  inference:
  - provider_id: ${env.OLLAMA_URL:+ollama}
    provider_type: remote::olama
"""
    )
    (warning,) = plan(read_run_config(file, {})).warnings
    assert warning == (
        "`providers.inference[0]` (line 6): `remote::olama` is off, and this version has no such provider of inference "
        "(did you mean `remote::ollama`?)"
    )


def test_what_was_called_agents_has_responses_too() -> None:
    """llama-stack 0.3 served both by the API of that name."""
    agents = [{"provider_id": "meta-reference", "provider_type": "inline::meta-reference", "config": {}}]
    providers = {"agents": agents, "inference": [openai_at("http://localhost:1/v1")]}
    planned = plan(run_config(providers=providers, apis=["agents", "inference"]))
    assert {"agents", "responses", "conversations"} <= planned.apis.keys()
    assert ids(planned, "agents") == ["meta-reference"]
