"""`scripts/examples/agent.py`, as a reader types it: a model that a test has written, a stack that `llama` serves."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.conformance.upstream import CHAT_MODEL, upstream_server
from runtime.conformance.upstream.scripted import Script, calls, says
from tests.support.apart import why_not
from tests.support.stack_home import TREE, Home

pytestmark = pytest.mark.e2e
AGENT = TREE / "scripts/examples/agent.py"
LOOKED = "import pandas as pd\ntable = pd.read_csv('llamas.csv')\ntable.shape"
DRAWN = "axes = table.plot(x='age_years', y='weight_kg')\nfloat(round(table.weight_kg.mean(), 1))"
RUN_YAML = """\
version: 2
distro_name: agent
providers:
  inference:
    - provider_id: scripted
      provider_type: remote::openai
      config: {base_url: %s, api_key: sk-none}
  files:
    - provider_id: localfs
      provider_type: inline::localfs
"""


def code(text: str) -> tuple[str, str, str]:
    return "call_1", "code_interpreter", json.dumps({"code": text})


async def test_a_table_is_analysed_and_the_plot_comes_back(home: Home, tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    script = Script(
        calls(code(LOOKED)),
        calls(code(DRAWN)),
        says("They weigh 119.7 kg on average: [the plot](sandbox:/mnt/data/figure-1.png)."),
    )
    async with upstream_server() as vendor:
        vendor.misbehaves = script
        run_yaml = tmp_path / "run.yaml"
        run_yaml.write_text(RUN_YAML % vendor.url)
        done, left = await asyncio.to_thread(_served_and_asked, home, run_yaml, tmp_path / "plots")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert ">>> table.shape" in lines and "    (9, 3)" in lines and "    119.7" in lines
    assert lines[-2:] == [
        "They weigh 119.7 kg on average: [the plot](sandbox:/mnt/data/figure-1.png).",
        f"saved {tmp_path / 'plots' / 'figure-1.png'}",
    ]
    assert (tmp_path / "plots" / "figure-1.png").read_bytes().startswith(b"\x89PNG")
    assert left == [[], []]
    told = [message["content"] for message in script.asked[-1]["messages"] if message["role"] == "tool"]
    assert told[0] == "(9, 3)" and "/mnt/data/figure-1.png" in told[1]
    assert "/mnt/data/llamas.csv" in script.asked[0]["tools"][0]["function"]["description"]


def _served_and_asked(
    home: Home, run_yaml: Path, plots: Path
) -> tuple[subprocess.CompletedProcess[str], list[list[object]]]:
    """What the program did, and the files and containers that are left."""
    with home.served(str(run_yaml)) as server:
        done = subprocess.run(
            [sys.executable, str(AGENT), "--to", str(plots), "--model", f"scripted/{CHAT_MODEL}"],
            env=os.environ | {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "none"},
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        return done, [server.get(f"/v1/{what}")["data"] for what in ("files", "containers")]
