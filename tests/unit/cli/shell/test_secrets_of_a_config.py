"""A secret of a run config is shown by no command, however it is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_runner import Cli

SECRETS = ["key-of-it", "in-a-url", "in-a-query", "quoted in libpq", "in-odbc and on", "in-a-default", "in-a-variable"]
RUN_YAML = """\
version: 2
distro_name: mine
providers:
  inference:
  - provider_id: openai
    provider_type: remote::openai
    config: {api_key: key-of-it, base_url: "https://h/v1?password=in-a-query"}
registered_resources:
  models:
  - model_id: m
    provider_id: openai
    metadata:
      url: "postgresql://u:in-a-url@h/db"
      libpq: "host=h password='quoted in libpq' dbname=d"
      odbc: "Server=h;Pwd=in-odbc and on;Encrypt=yes"
      default: "${env.THE_DEFAULT:=host=h password=in-a-default}"
      variable: ${env.THE_VARIABLE}
"""


@pytest.mark.parametrize(
    "words",
    [
        ["show", "run.yaml"],
        ["show", "run.yaml", "--resolved"],
        ["env", "run.yaml"],
        ["diff", "run.yaml", "other.yaml"],
        ["validate", "run.yaml", "wrong.yaml"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_no_secret_is_shown(
    words: list[str], json: list[str], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THE_VARIABLE", "host=h password=in-a-variable")
    Path("run.yaml").write_text(RUN_YAML)
    # Whatever differs is shown by `diff`, and what cannot be by `validate`.
    Path("other.yaml").write_text("version: 2\ndistro_name: mine\nproviders: {}\n")
    Path("wrong.yaml").write_text(RUN_YAML.replace("metadata:", "model_type:"))
    result = cli("stack", *words, *json)
    assert result.out
    assert not [secret for secret in SECRETS if secret in result.out + result.err]
