"""The run configs that templates are rendered into."""

from __future__ import annotations

import pytest
import yaml

from runtime import discovery
from runtime.config import rendering, template
from runtime.config.loading import parse_run_config
from runtime.errors import ConfigInvalid
from runtime.providers.inference._openai_compatible.spec import openai_compatible
from runtime.spec import Spec, inline, remote
from tests.support.configs import providers_of

SPECS = (
    inline("localfs", summary="Files", adapter="a:B", sample_config={"storage_dir": "x"}).found_in(
        "files", "somewhere"
    ),
    inline("auto", summary="Documents", adapter="a:B").found_in("file_processors", "somewhere"),
    inline("chromadb", summary="Vectors", adapter="a:B").found_in("vector_io", "somewhere"),
    inline("file-search", summary="A tool", adapter="a:B").found_in("tool_runtime", "somewhere"),
    inline("code-interpreter", summary="A tool", adapter="a:B").found_in("tool_runtime", "somewhere"),
    inline("profanity-check", summary="A shield", adapter="a:B", serves=("profanity",)).found_in("safety", "somewhere"),
    inline("llama-guard", summary="A shield", adapter="a:B").found_in("safety", "somewhere"),
    inline("localfs", summary="Datasets", adapter="a:B", sample_config={"api_key": "${env.HF_TOKEN:=}"}).found_in(
        "datasetio", "somewhere"
    ),
    inline("builtin", summary="Traces", adapter="a:B").found_in("telemetry", "somewhere"),
    *(
        inline(name, summary="Scores", adapter="a:B").found_in("scoring", "somewhere")
        for name in ("basic", "llm-as-judge", "braintrust")
    ),
    *(
        spec.found_in("inference", "somewhere")
        for spec in (
            inline("meta-reference", summary="Ours", adapter="a:B"),
            inline(
                "sentence-transformers",
                summary="Embeddings",
                adapter="a:B",
                sample_config={"batch": 8, "device": "cpu"},
            ),
            openai_compatible(
                "openai", summary="OpenAI", base_url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY"
            ),
            openai_compatible(
                "vllm", summary="vLLM", base_url_env="VLLM_URL", api_key_env="VLLM_API_TOKEN", enabled_by="VLLM_URL"
            ),
            remote(
                "odd::one",
                summary="No variable",
                adapter="a:B",
                aliases=("remote::odd",),
                sample_config={"n": "5", "l": ["a"]},
            ),
        )
    ),
)


@pytest.mark.parametrize("name", template.template_names())
def test_a_template_renders_a_config_that_loads(name: str) -> None:
    text = rendering.render(name, specs=discovery.built_in().specs)
    config = parse_run_config(text, env={"INFERENCE_MODEL": "m"})
    assert (config.distro_name, config.warnings, config.server.port) == (name, [], 8321)
    assert text.endswith("8321}\n")
    assert [line for line in text.split("\n") if line != line.rstrip()] == []


def test_starter_is_rendered_whole() -> None:
    assert (
        rendering.render("starter", specs=SPECS, name_override="my-own")
        == """\
# A chat and an embedding model that run here, and every remote provider you have a key or an address for
# Rendered from the template `starter`. Yours to edit: `llama stack build` does not overwrite an edited file.
# ${env.X} is read when the server starts: ${env.X:=d} is d unless X is set, ${env.X:+v} is v only when X is set.
#
#   INFERENCE_MODEL: the chat model that runs here, a name or a path
#   INFERENCE_CHECKPOINT_DIR: the folder of its weights
#   FILES_STORAGE_DIR: the folder of uploaded files; by default one in the server's state
#   SAFETY_MODEL: a Llama Guard that one of the providers of inference serves, as the shield `llama-guard`
#   OPENAI_API_KEY: turns on remote::openai
#   VLLM_URL: turns on remote::vllm
#   ENABLE_ODD_ONE: turns on remote::odd::one
version: 2
distro_name: my-own

# Who serves each API. `llama stack list-providers` says whom there is, `show-provider` what they can be set to.
providers:
  inference:
  - provider_id: meta-reference
    provider_type: inline::meta-reference
    config:
      model: ${env.INFERENCE_MODEL:=SmolLM2-135M-Instruct}
      checkpoint_dir: ${env.INFERENCE_CHECKPOINT_DIR:=}
  - provider_id: sentence-transformers
    provider_type: inline::sentence-transformers
    config:
      batch: 8
      device: cpu
  - provider_id: ${env.OPENAI_API_KEY:+openai}
    provider_type: remote::openai
    config:
      base_url: ${env.OPENAI_BASE_URL:=https://api.openai.com/v1}
      api_key: ${env.OPENAI_API_KEY:=}
  - provider_id: ${env.VLLM_URL:+vllm}
    provider_type: remote::vllm
    config:
      base_url: ${env.VLLM_URL:=}
      api_key: ${env.VLLM_API_TOKEN:=}
  - provider_id: ${env.ENABLE_ODD_ONE:+odd-one}
    provider_type: remote::odd::one
    config:
      n: '5'
      l:
      - a
  files:
  - provider_id: localfs
    provider_type: inline::localfs
    config:
      storage_dir: x
  file_processors:
  - provider_id: auto
    provider_type: inline::auto
  vector_io:
  - provider_id: chromadb
    provider_type: inline::chromadb
  tool_runtime:
  - provider_id: file-search
    provider_type: inline::file-search
  - provider_id: code-interpreter
    provider_type: inline::code-interpreter
  safety:
  - provider_id: profanity-check
    provider_type: inline::profanity-check
  - provider_id: ${env.SAFETY_MODEL:+llama-guard}
    provider_type: inline::llama-guard
  datasetio:
  - provider_id: localfs
    provider_type: inline::localfs
    config:
      api_key: ${env.HF_TOKEN:=}
  scoring:
  - provider_id: basic
    provider_type: inline::basic
  - provider_id: llm-as-judge
    provider_type: inline::llm-as-judge
  telemetry:
  - provider_id: builtin
    provider_type: inline::builtin

# Where state is kept; a relative path is below the distribution's folder for state.
storage:
  backends:
    kv_default:
      type: kv_sqlite
      db_path: ${env.SQLITE_STORE_DIR:=.}/kvstore.db
    sql_default:
      type: sql_sqlite
      db_path: ${env.SQLITE_STORE_DIR:=.}/sql_store.db
  stores:
    metadata:
      backend: kv_default
      namespace: registry
    # Chat completions are kept, to be read at GET /v1/chat/completions, unless a request has `store: false`;
    # `enabled: false` keeps none.
    inference:
      backend: sql_default
      table_name: inference_store
      enabled: true

# What is there from the start, besides what providers list themselves.
registered_resources:
  models: []
  shields:
  - shield_id: llama-guard
    provider_id: ${env.SAFETY_MODEL:+llama-guard}
    provider_shield_id: ${env.SAFETY_MODEL:=}

# The shield of /v1/moderations where a request names none.
safety:
  default_shield_id: profanity

# Where it listens; `--host` and `--port` come first.
server:
  port: ${env.LLAMA_STACK_PORT:=8321}
"""
    )


def test_a_variable_turns_a_remote_provider_on() -> None:
    text = rendering.render("remote", specs=SPECS)
    config = parse_run_config(text, env={"VLLM_URL": "http://h:1/v1"})
    assert [entry.provider_id for entry in providers_of(config)] == ["vllm"]
    assert [(entry.provider_id, entry.enabled_by) for entry in config.off] == [
        ("openai", ("OPENAI_API_KEY",)),
        ("odd-one", ("ENABLE_ODD_ONE",)),
    ]


def test_providers_that_are_named_replace_those_of_their_api_and_are_on() -> None:
    text = rendering.render("starter", specs=SPECS, providers={"inference": ["remote::openai", "remote::odd"]})
    config = parse_run_config(text, env={})
    assert [(entry.provider_id, entry.provider_type) for entry in providers_of(config)] == [
        ("openai", "remote::openai"),
        ("odd-one", "remote::odd::one"),
        ("localfs", "inline::localfs"),
        ("auto", "inline::auto"),
        ("chromadb", "inline::chromadb"),
        ("file-search", "inline::file-search"),
        ("code-interpreter", "inline::code-interpreter"),
        ("profanity-check", "inline::profanity-check"),
        ("localfs", "inline::localfs"),
        ("basic", "inline::basic"),
        ("llm-as-judge", "inline::llm-as-judge"),
        ("builtin", "inline::builtin"),
    ]
    assert [entry.provider_id for entry in config.off] == ["llama-guard"]


def test_the_word_remote_leaves_out_what_is_named_beside_it() -> None:
    text = rendering.render("starter", specs=SPECS, providers={"inference": ["remote::vllm", "remote"]})
    config = parse_run_config(text, env={})
    on = [entry.provider_id for entry in providers_of(config)]
    assert on[:6] == ["vllm", "localfs", "auto", "chromadb", "file-search", "code-interpreter"]
    assert [entry.provider_id for entry in config.off] == ["openai", "odd-one", "llama-guard"]


def test_ids_of_one_api_differ() -> None:
    twice: tuple[Spec, ...] = tuple(
        spec.found_in("inference", "x")
        for spec in (inline("vllm", summary="", adapter="a:B"), remote("vllm", summary="", adapter="a:B"))
    )
    chosen = {"inference": ["inline::vllm", "remote::vllm"]}
    text = rendering.render("remote", specs=(*SPECS[:10], *twice), providers=chosen)
    assert [entry.provider_id for entry in providers_of(parse_run_config(text, env={}))] == ["vllm", "vllm-remote"]


def test_an_api_may_be_left_without_providers() -> None:
    text = rendering.render("starter", specs=SPECS, providers={"inference": []})
    assert parse_run_config(text, env={}).providers["inference"] == []


def test_a_default_shield_is_named_while_a_provider_has_it() -> None:
    assert yaml.safe_load(rendering.render("starter", specs=SPECS))["safety"] == {"default_shield_id": "profanity"}
    assert "safety" not in yaml.safe_load(rendering.render("starter", specs=SPECS, providers={"safety": []}))
    assert "safety" not in yaml.safe_load(rendering.render("remote", specs=SPECS))


def test_models_are_registered_while_their_provider_is_there() -> None:
    chosen = template.parse_template(
        """
name: t
summary: s
providers:
  inference:
  - inline::meta-reference
  - {provider_type: remote::openai, provider_id: mine, config: {a: {b: "1"}}}
models:
- {model_id: gpt, provider_id: mine, metadata: {n: 1}}
- {model_id: gone, provider_id: other}
"""
    )
    folder = template.find_templates_dir()
    text = rendering.render_template(chosen, specs=SPECS, folder=folder)
    assert yaml.safe_load(text)["registered_resources"] == {
        "models": [{"model_id": "gpt", "provider_id": "mine", "metadata": {"n": 1}}]
    }
    assert yaml.safe_load(text)["providers"]["inference"][1] == {
        "provider_id": "mine",
        "provider_type": "remote::openai",
        "config": {
            "base_url": "${env.OPENAI_BASE_URL:=https://api.openai.com/v1}",
            "api_key": "${env.OPENAI_API_KEY:=}",
            "a": {"b": "1"},
        },
    }


def test_so_is_everything_else_that_a_template_names() -> None:
    chosen = template.parse_template(
        """
name: t
summary: s
providers:
  inference: [inline::meta-reference]
resources:
  benchmarks:
  - {benchmark_id: one, dataset_id: rows, scoring_functions: ["basic::equality"], provider_id: meta-reference}
  - {benchmark_id: gone, dataset_id: rows, scoring_functions: ["basic::equality"], provider_id: other}
  datasets:
  - {dataset_id: rows, provider_id: other}
"""
    )
    text = rendering.render_template(chosen, specs=SPECS, folder=template.find_templates_dir())
    here = {"benchmark_id": "one", "dataset_id": "rows", "scoring_functions": ["basic::equality"]}
    resources = {"models": [], "benchmarks": [{**here, "provider_id": "meta-reference"}]}
    assert yaml.safe_load(text)["registered_resources"] == resources


@pytest.mark.parametrize("kind", ["inline::llama-guard", "inline::profanity-check"])
def test_a_shield_stays_where_its_provider_is_chosen_by_name(kind: str) -> None:
    text = rendering.render("starter", specs=discovery.built_in().specs, providers={"safety": [kind]})
    for env, ids in (({"SAFETY_MODEL": "guard"}, ["llama-guard"]), ({}, [])):
        shields = parse_run_config(text, env=env).registered_resources.get("shields") or []
        assert [shield.values["shield_id"] for shield in shields] == (ids if kind == "inline::llama-guard" else [])


def test_unknown_choices_are_all_told_with_close_names() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        rendering.render(
            "starter", specs=SPECS, providers={"inference": ["remote::opnai", "zzz"], "infernce": ["remote::vllm"]}
        )
    assert raised.value.message.split("\n  ") == [
        "the choice of providers has 3 problems",
        "providers.inference: `remote::opnai` is not a provider of inference (did you mean `remote::openai`?)",
        "providers.inference: `zzz` is not a provider of inference (there are inline::meta-reference,"
        " inline::sentence-transformers, remote::odd::one, remote::openai, remote::vllm)",
        "providers.infernce: there is no API `infernce` (did you mean `inference`?)",
    ]
