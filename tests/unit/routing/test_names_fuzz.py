"""Names at random, of requests and of lists: each is answered, at worst with an error of ours, and nothing stops."""

from __future__ import annotations

import random
from pathlib import Path
from urllib.parse import quote

import pytest

from runtime.conformance.stacks import run_config
from tests.support.listing import furnish_listing, listing_provider
from tests.support.stacks import registry_of, serving

_PIECES = [
    *("l", "m", "/", "//", ":", "..", ".", "%", "%2F", "?", "#", "=", "[", "]", "{x}", "'", '"', "\\", "`", "*", " "),
    *("\x00", "\n", "\r\n", "\t", "\x1b[2J", "\x7f", "\u202e", "\u2028", "\ufeff", "é", "e\u0301", "😀", "ß", "İ", "-"),
    *("remote::", "x" * 100, "a-b-c", "auto", "all", "null", "0", "-1", "1e999", "${env.X}", "{{7*7}}", "<b>"),
]


def names(seed: int, count: int) -> list[str]:
    made = random.Random(seed)
    return ["".join(made.choices(_PIECES, k=made.randint(1, 8))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_asked_for_is_answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int) -> None:
    listing = furnish_listing(monkeypatch)
    listing.lists["l"] = ["m", *names(seed + 100, 50)]
    async with serving(run_config(listing_provider("l")), tmp_path) as served:
        client = served.client
        for name in names(seed, 25):
            chat = {"model": name, "messages": [{"role": "user", "content": "x"}]}
            answers = [
                await client.get(f"/v1/models/{quote(name, safe='')}"),
                await client.get(f"/v1/providers/{quote(name, safe='')}"),
                await client.get(f"/v1/providers/l?api={quote(name, safe='')}"),
                await client.request("DELETE", f"/v1/models/{quote(name, safe='')}"),
                await client.post("/v1/models", {"model_id": name, "provider_id": "l", "provider_model_id": name}),
                await client.post("/v1/models", {"model_id": "m2", "provider_id": name}),
                await client.post("/v1/chat/completions", chat),
            ]
            statuses = [answer.status for answer in answers]
            # 501: the provider of this test lists models and answers nothing.
            assert not {*statuses} - {200, 204, 400, 404, 405, 409, 501}, (name, statuses)
        listed = (await client.get("/v1/models")).json()["data"]
        assert "l/m" in [model["id"] for model in listed]
        for model in listed:  # not by path, in which `//` is `/`
            assert (await registry_of(served.stack).resolve(model["id"])).id == model["id"]
        assert served.stack.degraded() == {}
