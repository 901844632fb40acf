"""`llama doctor` as it is typed: a machine where nothing is built, real calls of providers, a repair, a report."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path

import pytest

from llama_cli.checkup.findings import Distribution, Patient
from llama_cli.checkup.gpu import gpu
from runtime.conformance.upstream import upstream_server
from tests.support.schemas import conform
from tests.support.stack_home import Home
from tests.support.stacks import openai_at


@pytest.fixture
def llama(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_machine_where_nothing_is_built_is_examined(llama: Home) -> None:
    result = llama("doctor", "--json")
    document = json.loads(result.out)
    conform(document, "doctor")
    found = {finding["id"]: finding for finding in document["findings"]}
    assert result.code == (1 if document["status"] == "error" else 0)
    assert {"package/ok", "uv/ok", "python/ok", "environment/none", "config/ok"} <= found.keys()
    assert [row.split("\t")[1] for row in llama("doctor").out.splitlines()] == [
        finding["id"] for finding in document["findings"]
    ]
    assert not llama.folder.joinpath("distributions").exists()


def test_a_variable_that_names_a_server_keeps_this_machine_in_sight(llama: Home, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    by_variable = llama("doctor", "-q", "--json", LLAMA_STACK_URL=url)
    found = {finding["id"] for finding in json.loads(by_variable.out)["findings"]}
    assert {"environment/none", "server/unreachable"} <= found
    by_option = llama("doctor", "--json", "--url", url)
    found = {finding["id"]: finding["message"] for finding in json.loads(by_option.out)["findings"]}
    assert found["server/unreachable"] == f"nothing answers at {url}: Connection refused"
    # Whether anything is built here has not been looked at.
    assert not found.keys() & {"environment/none", "providers/not-built"}


async def test_each_provider_is_really_asked(llama: Home, unused_tcp_port: int) -> None:
    folder = llama.folder / "distributions" / "mine"
    folder.mkdir(parents=True, mode=0o700)
    llama.folder.chmod(0o700)
    # The interpreter of these tests has what a built one has.
    (folder / ".venv").symlink_to(sys.prefix)
    async with upstream_server() as upstream:
        upstream.key = "sk-configured-secret"
        rows = [
            openai_at(upstream.url, "works"),
            openai_at(upstream.url, "refused", api_key="sk-wrong-secret"),
            openai_at(f"http://127.0.0.1:{unused_tcp_port}/v1", "down"),
        ]
        run = {"version": 2, "distro_name": "mine", "providers": {"inference": rows}}
        (folder / "run.yaml").write_text(json.dumps(run))
        result = await asyncio.to_thread(llama, "doctor", "mine", "--json")
    document = json.loads(result.out)
    conform(document, "doctor")
    found = {one["id"]: one for one in document["findings"] if one["id"].startswith("providers/")}
    assert found.keys() == {"providers/ok", "providers/refused-key", "providers/unreachable"}
    assert "`works` (remote::openai) of `mine` answers in" in found["providers/ok"]["message"]
    assert "set OPENAI_API_KEY" in found["providers/refused-key"]["cause"]
    assert (result.code, document["status"]) == (1, "error")
    assert "sk-wrong-secret" not in result.out + result.err


def test_a_repair_says_what_it_would_do_before_it_does_it(llama: Home, tmp_path: Path) -> None:
    servers = llama.folder / "servers"
    servers.mkdir(parents=True)
    llama.folder.chmod(0o755)
    (servers / "gone.json").write_text(json.dumps({"state": "ready", "pid": 1}))
    would = llama("doctor", "--fix", "--dry-run", "--json", cwd=tmp_path)
    assert "would forget `gone`" in would.err and (servers / "gone.json").exists()
    did = llama("doctor", "--fix", "--json", cwd=tmp_path)
    assert {one["id"] for one in json.loads(did.out)["findings"] if one["fixed"]} == {"home/open", "records/crashed"}
    assert not (servers / "gone.json").exists() and llama.folder.stat().st_mode & 0o777 == 0o700
    for answer in (would, did):
        conform(json.loads(answer.out), "doctor")
    left = llama("doctor", "-q", cwd=tmp_path).out.split()
    assert not {"home/open", "records/crashed"} & set(left)


def test_a_report_goes_into_a_file_and_the_findings_stay_data(llama: Home, tmp_path: Path) -> None:
    result = llama("doctor", "--report", str(tmp_path / "report.md"), "--format", "markdown")
    assert result.out.startswith("|  | what | about | found | cause | fix |\n|---|")
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# Llama Stack: report of `llama doctor`\n- version: ")
    assert "## Findings" in text and "## Run config of `starter`" in text
    again = llama("doctor", "--report", str(tmp_path / "report.md"))
    assert (again.code, "`--force` replaces it" in again.err) == (5, True)
    assert llama("doctor", "--report", "-").out.startswith("# Llama Stack: report")
    both = llama("doctor", "--report", "-", "--json")
    assert both.code == 2 and "standard output can have one thing" in both.out


def test_a_name_that_leads_nowhere_is_usage(llama: Home) -> None:
    result = llama("doctor", "startr")
    assert (result.code, result.out) == (2, "")
    assert "did you mean `starter`" in result.err


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'NVIDIA H100, 81559 MiB, 570.1'", ["gpu/nvidia", "gpu/unused"]),
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", ["gpu/driver"]),
    ],
)
def test_a_gpu_is_told_from_a_driver_that_does_not_work(script: str, found: list[str], tmp_path: Path) -> None:
    """A program that answers as NVIDIA's does, since a GPU is not on every machine."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o700)
    folder = tmp_path / "mine"
    folder.mkdir()
    text = '[[packages]]\nname = "torch"\nversion = "2.9.0+cpu"\n'
    content = hashlib.sha256(text.encode()).hexdigest()
    (folder / "pylock.toml").write_text(f"# input: 0\n# content: {content}\n\n{text}")
    each = Distribution(name="mine", target="mine", folder=folder)
    patient = Patient(environment={"PATH": str(tmp_path)}, home=tmp_path, distributions=(each,))
    assert [finding.id for finding in gpu(patient)] == found
