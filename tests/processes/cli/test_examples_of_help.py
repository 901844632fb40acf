"""The examples in `--help`, run as they stand beside a `starter` that serves: what is shown works, or why it is not run
here stands below. Only ports are others, and the home is the test's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from llama_cli.exits import ExitCode
from tests.support.command_tree import EVERYTHING
from tests.support.recordings import keep_two
from tests.support.stack_home import Home, reserved_port, uv_cache

pytestmark = [pytest.mark.e2e, pytest.mark.smollm2]

_IN_FRONT = "it stays in front; test_first_use runs it"
_KEY = "it wants the key of a vendor"
_HUB = "it downloads from a hub"
_OWN_MODEL = "it wants a model of the user's"
_MANAGER = "it changes what the system starts"
_BATCH = "it wants a file of requests, or a batch that there is"
_EVAL = "it wants a suite, or a run that there is; test_eval runs it"
_EXEC = "it wants a test suite of the user's; test_exec runs other commands"
_RECORDED = "it wants recordings of the user's tests; the tests of recordings run it"
_NO_RUNS = "`starter` has run no benchmark; test_storage asks in SQL"
_TRACED = "it wants a request that there was; test_traces shows one"
_GOES_ON = "it goes on until one ends it; test_traces follows"
_POSTGRES = "it wants a PostgreSQL; test_storage_moves runs it"
NOT_RUN = {
    "llama stack batch submit requests.jsonl --wait": _BATCH,
    "cat requests.jsonl | llama stack batch submit - -q": _BATCH,
    "llama stack batch cancel batch_0686f2a1c03e1b2f6d3a9c5e": _BATCH,
    "llama stack batch results batch_0686f2a1c03e1b2f6d3a9c5e": _BATCH,
    "llama stack batch results batch_0686f2a1c03e1b2f6d3a9c5e > answers.jsonl": _BATCH,
    "llama stack batch results batch_0686f2a1c03e1b2f6d3a9c5e --errors": _BATCH,
    "llama stack eval capitals.yaml --model SmolLM2-135M-Instruct": _EVAL,
    "llama stack eval cancel job_0686f2a1c03e1b2f6d3a9c5e": _EVAL,
    "llama stack eval compare last last": _EVAL,
    "llama stack eval compare run.json last --exit-code": _EVAL,
    "llama stack eval ls": _EVAL,
    "llama stack eval ls --json": _EVAL,
    "llama stack eval run capitals.yaml --threshold equality=0.8 --baseline last": _EVAL,
    "llama stack eval run capitals --model SmolLM2-135M-Instruct --limit 10": _EVAL,
    "llama stack eval run likeness.yaml --from-completions --since 1d": _EVAL,
    "llama stack eval show last": _EVAL,
    "llama stack eval show last --json > run.json": _EVAL,
    "llama stack eval show last --markdown report.md": _EVAL,
    "llama stack eval show run.json --markdown report.md": _EVAL,
    "llama stack exec starter -- pytest -q": _EXEC,
    "llama stack exec my-run.yaml --env-file keys.env -- node test.mjs": _EXEC,
    "llama stack recordings import ../llama-stack/tests/integration": _RECORDED,
    "llama stack recordings import suite/recordings --provider vllm --dry-run": _RECORDED,
    "llama stack recordings ls tests/recordings --test test_chat.py": _RECORDED,
    "llama stack recordings prune tests/recordings --unused --yes": _RECORDED,
    "llama stack recordings refresh --test test_hello --config starter": _RECORDED,
    "llama stack recordings show 0a1b2c --answer": _RECORDED,
    "llama stack recordings show openai-POST-v1-chat-completions-0a1b2c3d4e.json": _RECORDED,
    "llama stack recordings verify tests/recordings --only 'inference/openai'": _RECORDED,
    "llama stack run starter": _IN_FRONT,
    "llama stack run my-run.yaml --port 0 --ready-file ready.json": _IN_FRONT,
    "llama stack run starter --detach --env OPENAI_API_KEY": _KEY,
    "llama stack restart starter --env OPENAI_API_KEY": _KEY,
    "llama stack wait --for settled --for provider=openai": _KEY,
    "llama stack logs starter -f --level warning": "it goes on until the server ends",
    "llama stack traces -f --errors --since 10m": _GOES_ON,
    "llama stack top": _GOES_ON,
    "llama stack traces req_0f3c1b2a4d5e6f708192a3b4": _TRACED,
    "llama stack explain req_0f3c1b2a4d5e6f708192a3b4": _TRACED,
    "llama stack explain req_0f3c1b2a --json": _TRACED,
    "llama stack explain chatcmpl-0f3c1b2a4d5e6f708192a3b4": _TRACED,
    "llama stack list-deps starter --format uv | sh": "it installs into the environment that is active",
    "llama stack stop starter starter-2": "one server is enough here",
    "llama model download Llama3.2-1B-Instruct": _HUB,
    "llama model download org/name-GGUF --files '*Q4_K_M.gguf'": _HUB,
    "llama model download Llama3.1-8B --source meta": _HUB,
    "llama model import ~/Downloads/model.gguf --name mine": _OWN_MODEL,
    "llama model import ./checkpoint --link": _OWN_MODEL,
    "llama model remove Llama3.2-1B-Instruct": _OWN_MODEL,
    "llama model remove Llama3.2-1B-Instruct --yes": _OWN_MODEL,
    "llama model verify Llama3.2-1B-Instruct": _OWN_MODEL,
    "llama model verify Llama3.2-1B-Instruct --json": _OWN_MODEL,
    "llama service install starter --now": _MANAGER,
    "llama service install starter --env-file keys.env --now": _MANAGER,
    "llama service install starter -- --port 8400": _MANAGER,
    "llama service status": _MANAGER,
    "llama service status starter --json": _MANAGER,
    "llama service uninstall starter": _MANAGER,
    "llama service uninstall starter --yes": _MANAGER,
    'llama complete "def total(rows):" --suffix "    return total" --json': "the embedded model fills in nothing",
    "llama stack storage import postgres-demo starter.tar.gz --dry-run": _POSTGRES,
    "llama stack storage import postgres-demo starter.tar.gz --env-file keys.env": _POSTGRES,
    'llama stack storage query starter "SELECT * FROM eval_runs"': _NO_RUNS,
    'llama stack storage query starter "SELECT count(*) FROM eval_rows" --json': _NO_RUNS,
    "llama stack storage restore starter --copy before_files_2_20260102_030405_a1b2": "no migration has made a copy",
    "llama open": "it opens a browser",
    "llama open starter docs": "it opens a browser",
    "llama help stack run --format man | man -l -": "not every system has `man`",
}
LAST = [
    "llama stack restart starter",
    "llama stack restart starter --port 8322 --log-level debug",
    "llama stack stop --all --timeout 5s",
    "llama stack remove starter --dry-run",
    "llama stack remove starter --state --yes",
]
"""What ends the server that the others need."""
ENDS = {
    "llama stack diff starter --running --exit-code": {ExitCode.DONE, ExitCode.DIFFERENT},
    "llama doctor": {ExitCode.DONE, ExitCode.FAILED},  # it may find something here
    "llama doctor starter --fix --dry-run": {ExitCode.DONE, ExitCode.FAILED},
    "llama doctor --report report.md": {ExitCode.DONE, ExitCode.FAILED},
    "llama stack recordings verify --config starter": {ExitCode.NETWORK},  # nobody has OpenAI's key here
    "llama stack status starter": {ExitCode.DONE, ExitCode.UNHEALTHY},
    "llama stack status http://127.0.0.1:8321 --json": {ExitCode.DONE, ExitCode.UNHEALTHY},
}
"""How one may end other than with 0."""
EXAMPLES = list(dict.fromkeys(example for node in EVERYTHING for example in node.command.examples))


def test_what_is_not_run_is_an_example() -> None:
    assert {*NOT_RUN, *LAST, *ENDS} <= {*EXAMPLES}


def test_every_example_of_help_works(shell: Home, tmp_path: Path) -> None:
    work, user = tmp_path / "work", tmp_path / "user"
    work.mkdir()
    user.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=work, check=True)
    message = ["-c", "user.name=A", "-c", "user.email=a@llama.example", "commit", "--allow-empty", "-qm", "Graze"]
    subprocess.run(["git", *message], cwd=work, check=True)
    keep_two(work / "recordings")
    for name in ("sentences.txt", "messages.txt"):
        (work / name).write_text("A llama grazes.\nIt rains.\n")
    environment = shell.environment | {"HOME": str(user), "UV_CACHE_DIR": str(uv_cache()), "SHELL": "/bin/bash"}
    wrong = []
    with reserved_port() as other:

        def run(line: str) -> subprocess.CompletedProcess[str]:
            ports = line.replace("8321", environment["LLAMA_STACK_PORT"]).replace("8322", str(other))
            return subprocess.run(
                ["sh", "-c", ports], cwd=work, env=environment, capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL, timeout=120,
            )  # fmt: skip

        assert run("llama stack run starter --detach --wait settled").returncode == 0
        written = run("llama stack init mine --output run.yaml")
        assert written.returncode == 0, written.stderr
        for example in [*(each for each in EXAMPLES if each not in {*NOT_RUN, *LAST}), *LAST]:
            if example == "llama stack init":
                (work / "run.yaml").unlink()
            done = run(example)
            if done.returncode not in ENDS.get(example, {ExitCode.DONE}) or "Traceback" in done.stderr:
                wrong.append(f"{example}\nexit code {done.returncode}\n{done.stdout[-500:]}\n{done.stderr[-1000:]}")
    assert not wrong, "\n\n".join(wrong)
