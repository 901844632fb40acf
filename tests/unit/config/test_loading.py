"""Run configs of every era: what they become, and everything that is wrong with one at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.loading import parse_run_config
from runtime.config.run_config import RunConfig
from runtime.config.substitution import Use
from runtime.errors import ConfigInvalid, NotFound
from runtime.stack.plan import read_run_config
from tests.support.configs import providers_of, resources_of


def problems_of(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(text, file="run.yaml", env=env or {})
    return [str(problem) for problem in raised.value.problems]


def config_of(text: str, env: dict[str, str] | None = None) -> RunConfig:
    return parse_run_config(text, env=env or {})


CURRENT = """\
version: 2
distro_name: mine
apis: [inference]
providers:
  inference:
  - provider_id: ollama
    provider_type: remote::ollama
    config:
      base_url: ${env.OLLAMA_URL:=http://localhost:11434/v1}
  - provider_id: ${env.OPENAI_API_KEY:+openai}
    provider_type: remote::openai
    config:
      api_key: ${env.OPENAI_API_KEY:=}
storage:
  backends:
    kv_default: {type: kv_sqlite, db_path: "${env.SQLITE_STORE_DIR:=~/x}/kv.db"}
  stores:
    metadata: {backend: kv_default, namespace: registry}
registered_resources:
  models:
  - model_id: gpt-4o-mini
    provider_id: ollama
    provider_model_id: llama3.2
    metadata: {embedding_dimension: "${env.DIM:=384}"}
server:
  port: "${env.PORT:=8400}"
"""


def test_a_config_is_read_whole() -> None:
    config = config_of(CURRENT, {"HOME": "/home/u", "OPENAI_API_KEY": "sk-1"})
    assert [
        (entry.provider_id, entry.provider_type, entry.config, entry.path, entry.line, entry.enabled_by)
        for entry in providers_of(config)
    ] == [
        ("ollama", "remote::ollama", {"base_url": "http://localhost:11434/v1"}, "providers.inference[0]", 6, ()),
        ("openai", "remote::openai", {"api_key": "sk-1"}, "providers.inference[1]", 10, ("OPENAI_API_KEY",)),
    ]
    assert config.storage.backends["kv_default"].model_dump(exclude_none=True) == {
        "type": "kv_sqlite",
        "db_path": "/home/u/x/kv.db",
    }
    assert resources_of(config) == {
        "models": [
            {
                "model_id": "gpt-4o-mini",
                "provider_id": "ollama",
                "provider_model_id": "llama3.2",
                "metadata": {"embedding_dimension": 384},
            }
        ]
    }
    (model,) = config.registered_resources["models"]
    assert (model.path, model.line, model.line_of("metadata")) == ("registered_resources.models[0]", 21, 24)
    assert (config.distro_name, config.apis, config.server.port, config.warnings) == ("mine", ["inference"], 8400, [])


def test_a_provider_without_its_variable_is_off_and_says_which() -> None:
    config = config_of(CURRENT)
    assert [entry.provider_id for entry in providers_of(config)] == ["ollama"]
    (entry,) = config.off
    assert (entry.api, entry.provider_id, entry.provider_type) == ("inference", "openai", "remote::openai")
    assert (entry.path, entry.line, entry.enabled_by) == ("providers.inference[1]", 10, ("OPENAI_API_KEY",))


def test_every_variable_that_was_read_is_recorded() -> None:
    model = "registered_resources.models[0].metadata.embedding_dimension"
    assert config_of(CURRENT, {"PORT": "9000"}).uses == [
        Use(path="providers.inference[0].config.base_url", line=9, variable="OLLAMA_URL", form="=", is_set=False),
        Use(path="storage.backends.kv_default.db_path", line=16, variable="SQLITE_STORE_DIR", form="=", is_set=False),
        Use(path=model, line=24, variable="DIM", form="=", is_set=False),
        Use(path="server.port", line=26, variable="PORT", form="=", is_set=True),
    ]


@pytest.mark.parametrize(
    "off", ["", "null", "''", "__disabled__", "${env.NO:=__disabled__}", "${env.NO:+x}", "${env.NO:=}"]
)
def test_the_variables_of_a_provider_that_is_off_may_be_unset(off: str) -> None:
    text = f"""
distro_name: x
providers:
  inference:
  - provider_id: {off}
    provider_type: remote::vllm
    config: {{base_url: "${{env.NO}}"}}
"""
    config = config_of(text)
    assert (config.providers, [entry.provider_type for entry in config.off]) == ({"inference": []}, ["remote::vllm"])


def test_models_of_providers_that_are_off_or_without_an_id_are_left_out() -> None:
    config = config_of(
        """
distro_name: x
registered_resources:
  models:
  - {model_id: a, provider_id: "${env.NO:+x}", provider_model_id: "${env.NO}"}
  - {model_id: "${env.NO:=}", provider_id: x}
  - {model_id: b, provider_id: __disabled__}
  - {model_id: c}
  shields:
  - {shield_id: "${env.SAFETY_MODEL:=}", provider_id: x}
  - {shield_id: s, provider_shield_id: "${env.NO:=}"}
  gadgets:
  - {gadget_id: __disabled__}
  - {gadget_id: g, owner: ""}
"""
    )
    assert resources_of(config) == {
        "models": [{"model_id": "c"}],
        "shields": [{"shield_id": "s", "provider_shield_id": None}],
        "gadgets": [{"gadget_id": "g", "owner": ""}],
    }


def test_a_provider_keeps_the_text_of_its_config() -> None:
    provider = "{provider_id: 7, provider_type: t, config: {password: '${env.P}'}}"
    config = config_of(f"distro_name: x\nproviders:\n  a:\n  - {provider}\n", {"P": "007"})
    (entry,) = providers_of(config)
    password = entry.config_node.get("password")
    assert (entry.provider_id, entry.config) == ("7", {"password": 7})
    assert password is not None
    assert (password.text, password.line) == ("007", 4)


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
version: 3
distro_nam: x
apis: inference
providers:
  inference:
  - provider_id: vllm
    provider_typ: remote::vllm
    config: {base_url: "${env.VLLM_URL}"}
  - {provider_id: vllm, provider_type: remote::vllm, module: "mine=1"}
  - {provider_type: remote::ollama}
  - remote::ollama
  models: []
storage:
  backends:
    kv_default: {type: kv_mongodb, hots: h}
    sql: {type: sql_sqlit}
    tables: {type: sql_sqlite}
  stores:
    inference: {backend: kv_defalt, table_name: t}
    cache: {backend: tables, namespace: r, tabel: t}
server:
  port: ${env.PORT:=abc}
  prot: 1
  workers: ${env.WORKERS:=2}
  auth: {provider_config: {type: custom}}
  quota: {period: day}
  tenancy: {mode: single}
external_providers_dir: ./more
registered_resources:
  models: {}
  shields: [7]
server: {}
"""
    assert problems_of(text) == [
        "run.yaml:1: distro_name: is missing",
        "run.yaml:1: version: version 3 is newer than 2, the newest known here",
        "run.yaml:2: distro_nam: unknown key `distro_nam` (did you mean `distro_name`?)",
        "run.yaml:3: apis: expected a list, got `inference`",
        "run.yaml:6: providers.inference[0].provider_type: is missing",
        "run.yaml:7: providers.inference[0].provider_typ: unknown key `provider_typ`"
        " (did you mean `provider_type` or `provider_id`?)",
        "run.yaml:8: providers.inference[0].config.base_url: `VLLM_URL` is not set"
        " (set it, or give a default: `${env.VLLM_URL:=default}`)",
        "run.yaml:9: providers.inference[1].module: `mine=1` is not a requirement; write `name`, `name>=1` or"
        " `name==1.0 --no-deps`",
        "run.yaml:9: providers.inference[1].provider_id: `vllm` is already the id of `providers.inference[0]`",
        "run.yaml:10: providers.inference[2].provider_id: is missing",
        "run.yaml:11: providers.inference[3]: expected a mapping, got `remote::ollama`",
        "run.yaml:15: storage.backends.kv_default.hots: unknown key `hots` (did you mean `host`?)",
        "run.yaml:16: storage.backends.sql.type: expected `kv_memory`, `kv_mongodb`, `kv_postgres`, `kv_redis`,"
        " `kv_sqlite`, `sql_postgres` or `sql_sqlite`, got `sql_sqlit`"
        " (did you mean `sql_sqlite` or `kv_sqlite`?)",
        "run.yaml:19: storage.stores.inference.backend: there is no backend `kv_defalt` (did you mean `kv_default`?)",
        "run.yaml:20: storage.stores.cache.tabel: unknown key `tabel` (the keys here are"
        " backend, enabled, max_write_queue_size, namespace, num_writers, table_name)",
        f"run.yaml:28: external_providers_dir: there is no folder {Path('more')} (make it, or correct the path)",
        "run.yaml:30: registered_resources.models: expected a list, got a mapping",
        "run.yaml:31: registered_resources.shields[0]: expected a mapping, got `7`",
        "run.yaml:32: server: `server` is given twice, first in line 21",
    ]


def test_what_the_server_cannot_honour_is_a_problem() -> None:
    text = """\
distro_name: x
server:
  workers: ${env.OGX_WORKERS:=2}
  auth: {provider_config: {type: "${env.AUTH:=custom}"}}
  quota: {period: day}
  tenancy: {mode: single}
  tls_config: {ciphers: [a]}
  hsts_max_age: 100
"""
    assert problems_of(text) == [
        "run.yaml:3: server.workers: more than one worker is not available in this version (`workers: 1`)",
        "run.yaml:4: server.auth: authentication is not available in this version (remove it, and listen on"
        " 127.0.0.1 only)",
        "run.yaml:5: server.quota: a quota is not available in this version (remove it)",
        "run.yaml:6: server.tenancy: tenancy is not available in this version (remove it)",
        "run.yaml:7: server.tls_config: a choice of ciphers is not available in this version (remove it)",
        "run.yaml:8: server.hsts_max_age: HSTS is not available in this version (remove it)",
    ]


@pytest.mark.parametrize("workers", ["2", "'2'", "2.0", "${env.NO:=3}"])
def test_more_workers_are_refused_however_they_are_written(workers: str) -> None:
    assert problems_of(f"distro_name: x\nserver:\n  workers: {workers}\n") == [
        "run.yaml:3: server.workers: more than one worker is not available in this version (`workers: 1`)"
    ]


@pytest.mark.parametrize(
    "server",
    [
        "auth: null",
        "auth: {}",
        "auth: {access_policy: []}",
        "auth: {provider_config: {type: '${env.AUTH_PROVIDER:=}', jwks: {uri: '${env.AUTH_JWKS_URI}'}}}",
        "quota: null",
        "tenancy: {mode: disabled}",
        "workers: 1",
        "hsts_max_age: null",
    ],
)
def test_what_resolves_to_nothing_is_no_problem(server: str) -> None:
    assert config_of(f"distro_name: x\nexternal_providers_dir: ${{env.D:=}}\nserver:\n  {server}\n").server.workers == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "",
            "run.yaml:1: there is nothing in it: a run config is a mapping with `version`, `distro_name`,"
            " `providers`, ...",
        ),
        ("- a", "run.yaml:1: a run config is a mapping with `version`, `distro_name`, `providers`, ..."),
        (
            "distro_name: a b",
            "run.yaml:1: distro_name: `a b` cannot name a distribution (use up to 128 letters, digits, `.`,"
            " `_` and `-`, and begin with a letter or a digit)",
        ),
        (
            "distro_name: ../x",
            "run.yaml:1: distro_name: `../x` cannot name a distribution (use up to 128 letters, digits,"
            " `.`, `_` and `-`, and begin with a letter or a digit)",
        ),
        (
            "distro_name: ${env.NAME}",
            "run.yaml:1: distro_name: `NAME` is not set (set it, or give a default: `${env.NAME:=default}`)",
        ),
        ("distro_name: x\nproviders: []", "run.yaml:2: providers: expected a mapping, got a list"),
        (
            "distro_name: x\nproviders: {inference: {}}",
            "run.yaml:2: providers.inference: expected a list, got a mapping",
        ),
        (
            "distro_name: x\nregistered_resources: []",
            "run.yaml:2: registered_resources: expected a mapping, got a list",
        ),
        (
            "distro_name: x\nregistered_resources: {models: x}",
            "run.yaml:2: registered_resources.models: expected a list, got `x`",
        ),
        ("distro_name: x\nserver: 8321", "run.yaml:2: server: expected a mapping, got `8321`"),
        (
            "distro_name: [",
            "run.yaml:1: not valid YAML: while parsing a flow node, expected the node content, but"
            " found '<stream end>'",
        ),
    ],
)
def test_a_config_of_the_wrong_shape_is_one_problem(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


def test_a_wrong_value_from_a_variable_names_the_variable() -> None:
    text = "distro_name: x\nserver:\n  port: ${env.PORT:=8321}\n  workers: ${env.NO:=x}\n"
    assert problems_of(text, {"PORT": "http"}) == [
        "run.yaml:3: server.port: expected a whole number, got `http` (the value comes from `PORT`)",
        "run.yaml:4: server.workers: expected a whole number, got `x`",
    ]


def test_the_message_is_all_problems() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config("a: 1\nb: 2\n", file="r.yaml", env={})
    assert raised.value.message.split("\n")[:3] == [
        "the run config has 3 problems",
        "  r.yaml:1: distro_name: is missing",
        "  r.yaml:1: a: unknown key `a` (the keys here are additional_pip_packages, apis,"
        " container_image, default_model, distro_name, external_apis_dir,"
        " external_providers_dir, logging, providers, registered_resources, safety, server, storage, telemetry,"
        " vector_stores, version)",
    ]


def test_both_names_of_a_variable_are_read() -> None:
    config = config_of("distro_name: x\nserver: {port: '${env.OGX_PORT:=1}'}", {"LLAMA_STACK_PORT": "8400"})
    assert config.server.port == 8400


def test_load_names_the_file_in_problems(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("distro_name: x\nport: 1\n")
    with pytest.raises(ConfigInvalid) as raised:
        read_run_config(path, {})
    assert (raised.value.problems[0].file, raised.value.problems[0].line) == (str(path), 2)
    path.write_text("distro_name: x\n")
    assert read_run_config(path, {}).file == str(path)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=f"there is no file `{tmp_path}/no.yaml`"):
        read_run_config(tmp_path / "no.yaml", {})
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigInvalid) as raised:
        read_run_config(tmp_path / "latin.yaml", {})
    assert [str(problem) for problem in raised.value.problems] == [
        f"{tmp_path}/latin.yaml:1: is not UTF-8: byte 0xff is not valid there"
        " (save it as UTF-8; if it is Latin-1: `iconv -f LATIN1 -t UTF-8`)"
    ]
    with pytest.raises(ConfigInvalid, match="cannot be read: Is a directory"):
        read_run_config(tmp_path, {})


@pytest.mark.parametrize(
    "provider_id", ["../../../evil", "a/b", ".hidden", "..", "a b", "é", "openai:2", "x" * 65, "a\\b", "'new\\nline'"]
)
def test_an_id_that_could_not_name_a_folder_is_a_problem_with_its_line(provider_id: str) -> None:
    text = f"""\
distro_name: mine
providers:
  inference:
  - provider_type: remote::ollama
    provider_id: {provider_id}
"""
    (problem,) = problems_of(text)
    assert problem.startswith("run.yaml:5: providers.inference[0].provider_id: ")
    assert "cannot be the id of a provider (use up to 64 letters" in problem


@pytest.mark.parametrize("provider_id", ["a", "meta-reference", "my_vllm.2", "x" * 64, "_-", "7", "A..b"])
def test_an_id_is_letters_digits_and_three_signs(provider_id: str) -> None:
    entry_text = f"{{provider_id: '{provider_id}', provider_type: remote::ollama}}"
    (entry,) = providers_of(config_of(f"distro_name: mine\nproviders: {{inference: [{entry_text}]}}"))
    assert entry.provider_id == provider_id


def test_an_id_from_a_variable_is_checked_as_well() -> None:
    text = "distro_name: mine\nproviders: {inference: [{provider_id: '${env.ID}', provider_type: remote::ollama}]}"
    (problem,) = problems_of(text, {"ID": "../up"})
    assert "`../up` cannot be the id of a provider" in problem


def test_a_variable_that_is_set_under_a_mistyped_name_is_named() -> None:
    text = "distro_name: ${env.OPENAI_API_KEY}\n"
    set_beside = {"OPENAI_APIKEY": "sk-1", "OPENAI_ORGANIZATION": "mine", "OPENAI_API_KEI": ""}
    (problem,) = problems_of(text, set_beside)
    assert "(`OPENAI_APIKEY` is set: was that meant? Else set it, or give a default: " in problem
    (problem,) = problems_of(text, {"OPENAI_ORGANIZATION": "mine"})
    assert "(set it, or give a default: " in problem
