"""`llama stack build --config -` and `run -`: a run config that comes through a pipe is built, served and restarted."""

from __future__ import annotations

import json
from typing import Any

from tests.support.schemas import conform

RUN_YAML = """\
version: 2
distro_name: piped
apis: [inspect]
providers: {}
additional_pip_packages:
- sniffio --no-deps
server: {port: "${env.PIPED_PORT}"}
"""


def assert_same_shape(dry: str, real: str, schema: str) -> None:
    documents = [json.loads(dry), json.loads(real)]
    for document in documents:
        conform(document, schema)
    assert documents[0].keys() == documents[1].keys()


def test_a_piped_run_config_is_built_served_and_restarted(home: Any) -> None:
    built = home("stack", "build", "--config", "-", "--json", stdin=RUN_YAML)
    assert built.code == 0, built.err
    would_build = home("stack", "build", "--config", "-", "--json", "--dry-run", stdin=RUN_YAML)
    assert_same_shape(would_build.out, built.out, "stack-build")
    assert "standard input needs `PIPED_PORT` when it runs (`server.port`, line 7)" in built.err
    folder = home.folder / "distributions" / "piped"
    assert 'name = "sniffio"' in (folder / "pylock.toml").read_text()
    assert "`PIPED_PORT` is not set" in home("stack", "run", "-", stdin=RUN_YAML).err

    variables = {"PIPED_PORT": "0", "LLAMA_STACK_PORT": "tcp://10.0.0.1:8321"}
    would_run = home("stack", "run", "-", "--json", "--dry-run", stdin=RUN_YAML, **variables)
    started = home("stack", "run", "-", "--detach", "--json", stdin=RUN_YAML, **variables)
    assert started.code == 0, started.err
    ready = json.loads(started.out)
    try:
        assert_same_shape(would_run.out, started.out, "stack-run")
        assert (folder / "run.yaml").read_text() == RUN_YAML
        record = json.loads((home.folder / "servers" / f"{ready['id']}.json").read_text())
        assert record["options"]["target"] == str(folder / "run.yaml")
        compare = ("stack", "diff", ready["id"], "--running", "--exit-code")
        assert home(*compare).code == 0
        (folder / "run.yaml").write_text(RUN_YAML.replace("distro_name: piped", "distro_name: piped\nlogging: {}"))
        changed = home(*compare)
        assert (changed.code, changed.out.splitlines()[2:]) == (9, ["+ logging: {}"]), changed.err
        again = home("stack", "restart", ready["id"], "--json", **variables)
        assert (again.code, json.loads(again.out)["id"]) == (0, ready["id"]), again.err
        assert home(*compare).code == 0
    finally:
        home.stop(ready["id"])
