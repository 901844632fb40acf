"""Run configs as users of older systems have them, for what this version serves: they start, and say what changed.

Written after `surface.md` (a); what each era is known by stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.stack_home import Home
from tests.support.upstreams import Vendor, vendor_server

pytestmark = pytest.mark.e2e


class Era(NamedTuple):
    """A config, the name its model must be served by, and a word of every warning that is due."""

    run_yaml: str
    model: str
    warned_of: tuple[str, ...]


ERAS = {
    # image_name, top-level resource lists and stores beside them; the bare model id is an alias
    "0.2": Era(
        """\
version: '2'
image_name: my-0-2
apis:
- inference
providers:
  inference:
  - provider_id: ${env.OPENAI_API_KEY:+openai}
    provider_type: remote::openai
    config:
      api_key: ${env.OPENAI_API_KEY:=}
      base_url: ${env.OPENAI_BASE_URL:=https://api.openai.com/v1}
  - provider_id: ${env.OLLAMA_URL:=__disabled__}
    provider_type: remote::ollama
    config:
      url: ${env.OLLAMA_URL}
metadata_store:
  type: sqlite
  db_path: ${env.SQLITE_STORE_DIR:=.}/registry.db
inference_store:
  type: sqlite
  db_path: ${env.SQLITE_STORE_DIR:=.}/inference_store.db
models:
- metadata: {}
  model_id: my-model
  provider_id: openai
  provider_model_id: vendor-model
  model_type: llm
shields: []
vector_dbs: []
datasets: []
scoring_fns: []
benchmarks: []
tool_groups: []
server:
  port: 8321
""",
        "my-model",
        ("image_name", "models"),
    ),
    # storage.backends and stores, registered_resources, telemetry
    "0.3": Era(
        """\
version: 2
image_name: my-0-3
apis:
- inference
providers:
  inference:
  - provider_id: openai
    provider_type: remote::openai
    config:
      api_key: ${env.OPENAI_API_KEY:=}
      base_url: ${env.OPENAI_BASE_URL:=https://api.openai.com/v1}
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
      namespace: registry
      backend: kv_default
    inference:
      table_name: inference_store
      backend: sql_default
      max_write_queue_size: 10000
      num_writers: 4
    conversations:
      table_name: openai_conversations
      backend: sql_default
registered_resources:
  models:
  - model_id: my-model
    provider_id: openai
    provider_model_id: vendor-model
    model_type: llm
  shields: []
  vector_dbs: []
  datasets: []
  scoring_fns: []
  benchmarks: []
  tool_groups: []
server:
  port: 8321
telemetry:
  enabled: true
""",
        "my-model",
        ("image_name",),
    ),
    # distro_name, prompts as keys and values, an auth section that its empty type switches off, vector_stores defaults
    "0.7": Era(
        """\
version: 2
distro_name: my-0-7
apis:
- inference
providers:
  inference:
  - provider_id: openai
    provider_type: remote::openai
    config:
      api_key: ${env.OPENAI_API_KEY:=}
      base_url: ${env.OPENAI_BASE_URL:=https://api.openai.com/v1}
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
      namespace: registry
      backend: kv_default
    prompts:
      namespace: prompts
      backend: kv_default
registered_resources:
  models:
  - model_id: ${env.MY_MODEL:=}
    provider_id: openai
    provider_model_id: vendor-model
  tool_groups: []
server:
  port: 8321
  auth:
    provider_config:
      type: ${env.AUTH_PROVIDER:=}
telemetry:
  enabled: true
connectors: []
""",
        "openai/vendor-model",
        ("storage.stores.prompts",),
    ),
    # insecure, tenancy switched off, an alias for whichever provider comes first, no `apis`
    "1.5": Era(
        """\
version: 2
distro_name: my-1-5
providers:
  inference:
  - provider_id: openai
    provider_type: remote::openai
    config:
      api_key: ${env.OPENAI_API_KEY:=}
      base_url: ${env.OPENAI_BASE_URL:=https://api.openai.com/v1}
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
      namespace: registry
      backend: kv_default
    connectors:
      table_name: connectors
      backend: sql_default
registered_resources:
  models:
  - model_id: gpt-4o
    provider_id: all
    provider_model_id: vendor-model
server:
  port: 8321
  insecure: true
  workers: 1
  registry_refresh_interval_seconds: 300
  tenancy:
    mode: disabled
""",
        "gpt-4o",
        (),
    ),
}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with vendor_server(Vendor(keys=frozenset({"sk-0123456789"}))) as server:
        yield server


@pytest.mark.parametrize("era", ERAS)
def test_a_run_config_of_an_older_system_serves(home: Home, vendor: Vendor, tmp_path: Path, era: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(ERAS[era].run_yaml)
    keys = {"OPENAI_API_KEY": "sk-0123456789", "OPENAI_BASE_URL": vendor.url}
    with home.served(str(file), SQLITE_STORE_DIR=str(tmp_path / "state"), **keys) as server:
        assert server.ready["name"] == f"my-{era.replace('.', '-')}"
        assert server.chat(ERAS[era].model)["choices"][0]["message"]["content"] == "from the vendor, vendor-model"
        log = server.log()
    told = home("stack", "build", str(file), **keys).err
    for word in ERAS[era].warned_of:
        assert word in log and word in told, f"nothing was said about `{word}`"
    assert file.read_text() == ERAS[era].run_yaml
