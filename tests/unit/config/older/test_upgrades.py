"""Older shapes: a file as an older system wrote it -> what it now says, and the warnings."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.apis._api import Store
from runtime.config.loading import parse_run_config
from runtime.config.run_config import RunConfig
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan
from runtime.storage.placement import RESOURCE_STORE, SqlReference
from tests.support.configs import providers_of, resources_of


def problems_of(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(text, file="run.yaml", env=env or {})
    return [str(problem) for problem in raised.value.problems]


def config_of(text: str, env: dict[str, str] | None = None) -> RunConfig:
    return parse_run_config(text, env=env or {})


def test_names_of_older_eras_are_read() -> None:
    config = config_of(
        """
version: '2'
image_name: 0123
docker_image: img
apis: []
logging_config: {category_levels: {all: INFO}}
vector_stores_config: {default_provider_id: faiss}
telemetry: {enabled: true}
built_at: 2024-01-01
server: {port: 8321, auth: null}
external_providers_dir: null
"""
    )
    assert (config.version, config.distro_name, config.container_image, config.apis) == (2, "0123", "img", None)
    assert config.telemetry.enabled is True
    assert (config.logging.category_levels, config.vector_stores) == ({"all": "info"}, {"default_provider_id": "faiss"})
    assert config.warnings == [
        "`image_name` (line 3): this is now called `distro_name`",
        "`docker_image` (line 4): this is now called `container_image`",
        "`vector_stores_config` (line 7): this is now called `vector_stores`",
        "`logging_config` (line 6): this is now called `logging`",
        "`built_at` (line 9): has no effect: a server does not use it",
        "`apis` (line 5): an empty list mounts every API; leave the key out to say so",
    ]


def test_an_older_and_a_newer_name_together_are_a_problem() -> None:
    assert problems_of("distro_name: a\nimage_name: b\n") == [
        "run.yaml:2: image_name: `image_name` is the older name of `distro_name`, and both are given (remove"
        " `image_name`)"
    ]


def test_top_level_resources_of_version_0_2_are_registered() -> None:
    config = config_of(
        """
image_name: x
models:
- {model_id: a, provider_id: p, model_type: embedding, metadata: {embedding_dimension: 384}}
- {model_id: b, provider_id: "${env.NO:+p}"}
shields: []
vector_dbs: [{vector_db_id: v}]
tool_groups: [{toolgroup_id: builtin::rag, provider_id: rag-runtime}]
registered_resources:
  models: [{model_id: c}]
"""
    )
    assert [model["model_id"] for model in resources_of(config)["models"]] == ["c", "a"]
    assert resources_of(config)["vector_stores"] == [{"vector_store_id": "v"}]
    assert resources_of(config)["tool_groups"] == [{"toolgroup_id": "builtin::rag", "provider_id": "rag-runtime"}]
    assert config.warnings[1:] == [
        "`models` (line 4): this is now `registered_resources.models`",
        "`tool_groups` (line 8): this is now `registered_resources.tool_groups`",
        "`vector_dbs` (line 7): this is now `registered_resources.vector_stores`",
        "`vector_dbs[0].vector_db_id` (line 7): this is now called `vector_store_id`",
    ]


def test_connectors_at_the_top_are_no_older_shape() -> None:
    config = config_of("distro_name: x\nconnectors: [{connector_id: docs, url: https://docs.example/mcp}]")
    assert resources_of(config)["connectors"] == [{"connector_id": "docs", "url": "https://docs.example/mcp"}]
    assert not [warning for warning in config.warnings if "connectors" in warning]


def test_a_problem_in_an_older_shape_names_the_place_in_the_file() -> None:
    config = config_of("image_name: x\nmodels:\n- {model_i: a}\n- {model_id: b, model_type: c}\n")
    with pytest.raises(ConfigInvalid) as raised:
        plan(config, file="run.yaml")
    assert [str(problem) for problem in raised.value.problems] == [
        "run.yaml:3: models[0].model_id: is missing",
        "run.yaml:3: models[0].model_i: unknown key `model_i`"
        " (did you mean `model_id` or `model_type` or `model_validation`?)",
        "run.yaml:4: models[1].model_type: expected `llm`, `embedding` or `rerank`, got `c`",
    ]


def test_a_starter_config_of_version_0_3_is_read_whole() -> None:
    config = config_of(
        """
version: 2
image_name: starter
apis: [inference, safety]
providers:
  inference:
  - provider_id: ${env.CEREBRAS_API_KEY:+cerebras}
    provider_type: remote::cerebras
    config: {base_url: "https://api.cerebras.ai", api_key: "${env.CEREBRAS_API_KEY:=}"}
  - provider_id: ${env.VLLM_URL:+vllm}
    provider_type: remote::vllm
    config:
      url: ${env.VLLM_URL:=}
      max_tokens: ${env.VLLM_MAX_TOKENS:=4096}
      api_token: ${env.VLLM_API_TOKEN:=fake}
      tls_verify: ${env.VLLM_TLS_VERIFY:=true}
  safety:
  - {provider_id: llama-guard, provider_type: inline::llama-guard, config: {excluded_categories: []}}
storage:
  backends:
    kv_default: {type: kv_sqlite, db_path: "${env.SQLITE_STORE_DIR:=~/.llama/distributions/starter}/kvstore.db"}
    sql_default: {type: sql_sqlite, db_path: "${env.SQLITE_STORE_DIR:=~/.llama/distributions/starter}/sql_store.db"}
  stores:
    metadata: {namespace: registry, backend: kv_default}
    inference: {table_name: inference_store, backend: sql_default, max_write_queue_size: 10000, num_writers: 4}
    conversations: {table_name: openai_conversations, backend: sql_default}
registered_resources:
  models: []
  shields:
  - shield_id: llama-guard
    provider_id: ${env.SAFETY_MODEL:+llama-guard}
    provider_shield_id: ${env.SAFETY_MODEL:=}
  vector_dbs: []
  datasets: []
  scoring_fns: []
  benchmarks: []
  tool_groups:
  - {toolgroup_id: builtin::rag, provider_id: rag-runtime}
server: {port: 8321}
telemetry: {enabled: true}
""",
        {"VLLM_URL": "http://h/v1", "HOME": "/h", "VLLM_API_TOKEN": "12345"},
    )
    assert [(entry.api, entry.provider_id) for entry in providers_of(config)] == [
        ("inference", "vllm"),
        ("safety", "llama-guard"),
    ]
    assert providers_of(config)[0].config == {
        "url": "http://h/v1",
        "max_tokens": 4096,
        "api_token": 12345,
        "network": {"tls": {"verify": True}},
    }
    assert [entry.provider_id for entry in config.off] == ["cerebras"]
    assert (
        config.storage.model_dump()["backends"]["kv_default"]["db_path"] == "/h/.llama/distributions/starter/kvstore.db"
    )
    assert resources_of(config)["shields"] == []
    assert [warning.split("`")[1] for warning in config.warnings] == [
        *("image_name", "providers.inference[1].config.tls_verify", "storage.stores.inference.num_writers")
    ]


def test_vector_dbs_of_version_0_3_are_vector_stores() -> None:
    config = config_of("distro_name: x\nregistered_resources:\n  vector_dbs: [{vector_db_id: v}]\n")
    assert resources_of(config)["vector_stores"] == [{"vector_store_id": "v"}]
    assert config.warnings == [
        "`registered_resources.vector_dbs` (line 3): this is now `registered_resources.vector_stores`",
        "`registered_resources.vector_dbs[0].vector_db_id` (line 3): this is now called `vector_store_id`",
    ]


def test_default_models_of_the_early_documents_are_registered() -> None:
    config = config_of("distro_name: x\ndefault_models:\n- groq/llama\n- {model_id: b, provider_id: p}\n")
    assert resources_of(config)["models"] == [{"model_id": "groq/llama"}, {"model_id": "b", "provider_id": "p"}]
    assert problems_of("distro_name: x\ndefault_models: {llm: a}\n") == [
        "run.yaml:2: default_models: expected a list (it belongs to `registered_resources.models`)"
    ]


def backends_and_stores(config: RunConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    storage = config.storage.model_dump(exclude_none=True)
    return storage["backends"], {name: store["backend"] for name, store in storage["stores"].items()}


def test_stores_of_version_0_2_become_backends() -> None:
    config = config_of(
        """
image_name: x
metadata_store: {type: sqlite, db_path: "${env.SQLITE_STORE_DIR:=/s}/registry.db"}
inference_store: {type: sqlite, db_path: /s/inference.db}
"""
    )
    backends, stores = backends_and_stores(config)
    assert backends == {
        "kv_metadata": {"type": "kv_sqlite", "db_path": "/s/registry.db"},
        "sql_inference": {"type": "sql_sqlite", "db_path": "/s/inference.db"},
    }
    assert stores == {
        "metadata": "kv_metadata",
        "inference": "sql_inference",
    }
    assert config.storage.place_of(Store(name="connectors")).backend == "kv_metadata"
    assert config.warnings[1:] == [
        "`metadata_store` (line 3): this is now `storage.stores.metadata` with a backend",
        "`inference_store` (line 4): this is now `storage.stores.inference` with a backend",
    ]


@pytest.mark.parametrize("backends", ["{}", "{kv_default: {type: kv_redis}, tables: {type: sql_sqlite}}"])
def test_prompts_that_were_keys_and_values_are_tables(backends: str) -> None:
    stores = "{prompts: {namespace: prompts, backend: kv_default}}"
    config = config_of(f"distro_name: x\nstorage: {{backends: {backends},\n  stores: {stores}}}\n")
    place = config.storage.place_of(Store(name="prompts", families=("sql",)))
    assert (config.storage.types()[place.backend], place.table_name) == ("sql_sqlite", "prompts")
    assert config.warnings == [
        "`storage.stores.prompts` (line 3): prompts are in tables now, in the default backend for them; those in"
        " `kv_default` are not read"
    ]


def test_prompts_that_are_in_tables_stay_where_they_are() -> None:
    stores = "{prompts: {table_name: mine, backend: sql_default}}"
    config = config_of(f"distro_name: x\nstorage: {{stores: {stores}}}\n")
    assert config.storage.place_of(Store(name="prompts", families=("sql",))).table_name == "mine"
    assert config.warnings == []


@pytest.mark.parametrize(
    ("metadata", "namespace"),
    [
        ("{backend: kv_default}", ""),
        ("{backend: kv_default, namespace: null}", ""),
        ("{backend: kv_default, namespace: mine}", "mine"),
        ("null", "registry"),
    ],
)
def test_the_registry_is_kept_where_every_version_before_kept_it(metadata: str, namespace: str) -> None:
    storage = config_of(f"distro_name: x\nstorage: {{stores: {{metadata: {metadata}}}}}\n").storage
    place = storage.place_of(RESOURCE_STORE)
    assert (place.backend, place.namespace) == ("kv_default", namespace)


def test_an_older_store_of_another_type_keeps_its_settings() -> None:
    text = "image_name: x\nmetadata_store: {type: redis, host: h, port: 1}\n"
    text += "inference_store: {type: sqlite, db_path: x}\n"
    backends = config_of(text).storage.backends
    assert {(one.type, getattr(one, "host", None), getattr(one, "port", None)) for one in backends.values()} >= {
        ("kv_redis", "h", 1)
    }


def test_a_mistake_in_an_older_store_is_named_where_it_stands() -> None:
    text = "image_name: x\nmetadata_store:\n  type: redis\n  hots: h\ninference_store: {type: sqlite, db_pth: x}\n"
    assert problems_of(text) == [
        "run.yaml:4: metadata_store.hots: unknown key `hots` (did you mean `host`?)",
        "run.yaml:5: inference_store.db_pth: unknown key `db_pth` (did you mean `db_path`?)",
    ]


@pytest.mark.parametrize(
    ("storage", "backends"),
    [
        (
            "{type: sqlite, db_path: /s/all.db}",
            {
                "kv_default": {"type": "kv_sqlite", "db_path": "/s/all.db"},
                "sql_default": {"type": "sql_sqlite", "db_path": "/s/all.db"},
            },
        ),
        (
            "{type: sqlite, path: all.db}",
            {
                "kv_default": {"type": "kv_sqlite", "db_path": "all.db"},
                "sql_default": {"type": "sql_sqlite", "db_path": "all.db"},
            },
        ),
        (
            "{type: memory}",
            {"kv_default": {"type": "kv_memory"}, "sql_default": {"type": "sql_sqlite", "db_path": "sql_store.db"}},
        ),
    ],
)
def test_one_storage_type_of_the_early_documents_serves_both_families(storage: str, backends: dict[str, Any]) -> None:
    config = config_of(f"distro_name: x\nstorage: {storage}\n")
    assert backends_and_stores(config)[0] == backends
    assert config.warnings == [
        "`storage` (line 2): this is now `storage.backends`, in which each backend has its own type"
    ]


def test_a_providers_own_store_becomes_a_backend_and_a_reference() -> None:
    config = config_of(
        """
image_name: x
providers:
  datasetio:
  - provider_id: shelf
    provider_type: inline::shelf
    config:
      kvstore: {type: sqlite, namespace: null, db_path: /s/shelf.db}
  - provider_id: ${env.NO:+other}
    provider_type: inline::other
    config: {kvstore: {type: mongodb}}
"""
    )
    (entry,) = providers_of(config)
    assert entry.config == {"kvstore": {"backend": "kv_datasetio_shelf", "namespace": "datasetio::shelf"}}
    assert backends_and_stores(config)[0]["kv_datasetio_shelf"] == {"type": "kv_sqlite", "db_path": "/s/shelf.db"}
    assert config.storage.place_of(Store(name="metadata")).backend == "kv_default"


def test_the_files_of_version_0_2_keep_their_metadata_store() -> None:
    config = config_of(
        """
image_name: x
providers:
  files:
  - provider_id: meta-reference-files
    provider_type: inline::localfs
    config:
      storage_dir: ~/files
      metadata_store: {type: sqlite, db_path: /s/files_metadata.db}
"""
    )
    [provider] = [one for one in plan(config).providers if one.api == "files"]
    assert provider.config.metadata_store == SqlReference(backend="sql_files_localfs", table_name="files_metadata")
    assert backends_and_stores(config)[0]["sql_files_localfs"] == {
        "type": "sql_sqlite", "db_path": "/s/files_metadata.db"
    }  # fmt: skip
    assert config.storage.place_of(Store(name="inference", families=("sql",))).backend == "sql_default"


def test_a_file_from_before_version_1_is_one_clear_problem() -> None:
    text = "image_name: x\napis_to_serve: [inference]\nrouting_table: {inference: []}\n"
    assert problems_of(text) == [
        "run.yaml:3: routing_table: this file is from before version 1 and cannot be read"
        " (list its providers under `providers`, by API; `llama stack build` renders an example)"
    ]
