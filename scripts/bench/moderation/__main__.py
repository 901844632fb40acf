"""What a shield finds of what is harmful, what it flags without reason, and how long it takes.

Run: `.venv/bin/python -m scripts.bench.moderation [--url URL --shield ID] [--most N]`. Without an address, it is the
shield that comes with `starter`, in this process. Every text is a request to `/v1/moderations` of its own, one after
the other. `labelled.py` says where the texts are from; no shield is for all of them. Precision depends on how many of a
set are harmful, so the share of harmless texts that are flagged stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from runtime.conformance.stacks import run_config, serving
from scripts.bench.measure import machine, table
from scripts.bench.moderation.labelled import Labelled, labelled_sets

Ask = Callable[[str], Awaitable[bool]]
"""Whether a text is flagged."""
_PROVIDER = {"provider_id": "profanity-check", "provider_type": "inline::profanity-check"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a server, such as http://127.0.0.1:8321")
    parser.add_argument("--shield", help="one of its shields; by default the one that it means itself")
    parser.add_argument("--most", type=int, default=5000, help="texts of a set, drawn with a fixed seed")
    options = parser.parse_args()
    sets = labelled_sets()
    for texts in sets.values():
        random.Random(0).shuffle(texts)
        del texts[options.most :]
    print(machine(), "\n", sep="")
    asyncio.run(_at(options.url, options.shield, sets) if options.url else _here(sets))


async def _here(sets: dict[str, list[Labelled]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with serving(run_config(providers={"safety": [_PROVIDER]}), Path(folder)) as served:

            async def ask(text: str) -> bool:
                answer = await served.client.post("/v1/moderations", {"input": text})
                return bool(answer.json()["results"][0]["flagged"])

            await _measure(ask, sets)


async def _at(url: str, shield: str | None, sets: dict[str, list[Labelled]]) -> None:
    def post(text: str) -> bool:
        body: dict[str, Any] = {"input": text, **({"model": shield} if shield else {})}
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{url}/v1/moderations", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return bool(json.load(answer)["results"][0]["flagged"])

    async def ask(text: str) -> bool:
        return await asyncio.to_thread(post, text)

    await _measure(ask, sets)


async def _measure(ask: Ask, sets: dict[str, list[Labelled]]) -> None:
    header = ["texts", "all", "harmful", "precision", "recall", "F1", "harmless flagged", "median ms", "p95 ms"]
    rows = []
    for name, texts in sets.items():
        flagged, took_ms = [], []
        for one in texts:
            began = time.perf_counter()
            flagged.append(await ask(one.text))
            took_ms.append((time.perf_counter() - began) * 1000)
        rows.append([name, *_figures(texts, flagged), *_times(took_ms)])
    print(table(header, rows))


def _figures(texts: Sequence[Labelled], flagged: Sequence[bool]) -> list[str]:
    pairs = [*zip([one.is_harmful for one in texts], flagged, strict=True)]
    found, missed = pairs.count((True, True)), pairs.count((True, False))
    wrong, passed = pairs.count((False, True)), pairs.count((False, False))
    shares = ((found, found + wrong), (found, found + missed), (2 * found, 2 * found + wrong + missed))
    shown = [f"{part / whole:.2f}" if whole else "-" for part, whole in (*shares, (wrong, wrong + passed))]
    return [str(len(pairs)), str(found + missed), *shown]


def _times(took_ms: Sequence[float]) -> list[str]:
    return [f"{statistics.median(took_ms):.2f}", f"{statistics.quantiles(took_ms, n=20)[-1]:.2f}"]


if __name__ == "__main__":
    main()
