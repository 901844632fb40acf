"""What a replay costs beside the embedded model: wall seconds of the same requests, and of a start.

Run: `.venv/bin/python -m scripts.bench.replay [--rounds N]`. `starter` with the embedded models answers and records,
then a second `starter` replays from the small environment of `build --for-replay`. Budgets: a replay answers at least
50 times faster than the model, and is healthy within 1.5 s of its start.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from scripts.bench import environments, measure, servers
from scripts.bench.load import WrongAnswer
from scripts.bench.servers import Server

_MODEL, _EMBEDDING_MODEL = "SmolLM2-135M-Instruct", "all-MiniLM-L6-v2"
_TEXT = "Tell me what a llama eats, where it lives, and what it is good for. " * 3
REQUESTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "chat, 100 tokens": (
        "/v1/chat/completions",
        {"model": _MODEL, "messages": [{"role": "user", "content": _TEXT}], "max_tokens": 100, "temperature": 0},
    ),
    "the same as a stream": (
        "/v1/chat/completions",
        {
            "model": _MODEL,
            "messages": [{"role": "user", "content": _TEXT}],
            "max_tokens": 100,
            "temperature": 0,
            "stream": True,
        },
    ),
    "embeddings of 32 texts": (
        "/v1/embeddings",
        {"model": _EMBEDDING_MODEL, "input": [f"{number}: {_TEXT}" for number in range(32)]},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    live_place, replay_place = (
        environments.distribution("starter"),
        environments.distribution("starter", "--for-replay"),
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        recordings = str(folder / "recordings")
        live = stack.enter_context(servers.ours(live_place, folder, options=("--record", recordings)))
        live.wait_for("/v1/health")
        for path, body in REQUESTS.values():
            _asked(live, path, body)  # loads the models
        starts: list[float] = []
        for _ in range(options.rounds):
            starts.append(_start_s(replay_place / "replay", replay_place / "run.yaml", folder, recordings))
        replay = stack.enter_context(
            servers.ours(
                replay_place / "replay", folder, run_yaml=replay_place / "run.yaml", options=("--replay", recordings)
            )
        )
        replay.wait_for("/v1/health")
        rows = []
        for name, (path, body) in REQUESTS.items():
            subjects = {"live": partial(_asked, live, path, body), "replay": partial(_asked, replay, path, body)}
            for subject in subjects.values():
                subject()
            found = measure.interleaved(subjects, rounds=options.rounds)
            times = measure.ratios(found["live"], found["replay"])
            in_ms = [[second * 1000 for second in found[kind]] for kind in ("live", "replay")]
            rows.append((name, *(measure.spread(values, 1) for values in in_ms), measure.spread(times, 0)))
    print(f"{measure.machine()}; {options.rounds} rounds\n")
    print(measure.table(("request", "live ms", "replay ms", "times as fast (>= 50)"), rows))
    print(f"\nA replay of `starter` is healthy after {measure.spread(starts)} s (<= 1.5), the first time included.")


def _start_s(distribution: Path, run_yaml: Path, folder: Path, recordings: str) -> float:
    """Until it answers."""
    with servers.ours(distribution, folder, run_yaml=run_yaml, options=("--replay", recordings)) as server:
        server.wait_for("/v1/health")
        return time.perf_counter() - server.born


def _asked(server: Server, path: str, body: Mapping[str, Any]) -> float:
    """Seconds of the wall."""
    began = time.perf_counter()
    status, answer = server.ask("POST", path, body)
    took_s = time.perf_counter() - began
    if status != 200:
        raise WrongAnswer(f"{path}: {status}: {answer[:500]!r} to {json.dumps(body)[:200]}")
    return took_s


if __name__ == "__main__":
    main()
