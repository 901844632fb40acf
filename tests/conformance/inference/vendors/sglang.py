"""https://docs.sglang.ai/basic_usage/openai_api.html, read November 2026."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from runtime.conformance.inference.subject import OPENAI
from runtime.conformance.upstream import Answer, Endpoint, Habits, Upstream
from runtime.conformance.upstream.error_shapes import flat
from runtime.conformance.upstream.texts import scores_of
from tests.conformance.inference.vendor import Vendor
from tests.conformance.inference.vendors._checks import NEWER


def rerank(body: dict[str, Any], habits: Habits) -> Answer:
    scores = scores_of(body["query"], body["documents"])
    entries = [
        {"score": score, "document": text, "index": place}
        for place, (score, text) in enumerate(zip(scores, body["documents"], strict=True))
    ]
    return Answer(whole=sorted(entries, key=lambda entry: -entry["score"]))


class SGLang(Upstream):
    def endpoints(self) -> Mapping[str, Endpoint]:
        return {**super().endpoints(), "/rerank": rerank}


VENDOR = Vendor(make=partial(SGLang, Habits(error=flat, unread_fields=NEWER)), has=(OPENAI | {"rerank"}) - {"limits"})
