"""Completions, embeddings and rerank.

https://platform.openai.com/docs/api-reference/completions and /embeddings; rerank as vLLM documents it,
https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#re-rank-api
"""

from __future__ import annotations

import base64
import json
import random
import struct
from typing import Any

from runtime.conformance.upstream.wire import CREATED, Answer, Habits, Refused
from runtime.conformance.upstream.words import cut, randomness, some_words, usage

DIMENSION = 8


def completion(body: dict[str, Any], habits: Habits) -> Answer:
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    answers = [
        cut(some_words(randomness(body, f"{prompt}#{copy}")), body.get("stop"), body.get("max_tokens", 16))
        for prompt in prompts
        for copy in range(body.get("n") or 1)
    ]
    counts = usage(json.dumps(prompts), sum(len(words) for words, _ in answers))
    head = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": body["model"]}
    top = body.get("logprobs")

    def choice(index: int, words: list[str], finish: str | None) -> dict[str, Any]:
        logprobs = None if top is None else _logprobs(words, top)
        return {"index": index, "text": "".join(words), "logprobs": logprobs, "finish_reason": finish}

    events: list[dict[str, Any]] = []
    for index, (words, finish) in enumerate(answers):
        events += [{**head, "choices": [choice(index, [word], None)]} for word in words]
        events.append({**head, "choices": [choice(index, [], finish)]})
    choices = [choice(index, words, finish) for index, (words, finish) in enumerate(answers)]
    return Answer(whole={**head, "choices": choices, "usage": counts}, events=events, head=head)


def embeddings(body: dict[str, Any], habits: Habits) -> Answer:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = []
    for index, text in enumerate(inputs):
        vector: Any = vector_of(text)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{DIMENSION}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    read = sum(len(str(text)) for text in inputs)
    counts = {"prompt_tokens": read, "total_tokens": read}
    return Answer(whole={"object": "list", "data": data, "model": body["model"], "usage": counts})


def rerank(body: dict[str, Any], habits: Habits) -> Answer:
    """Cohere's form of an answer. Raises Refused for a field that is missing."""
    for name in ("query", "documents"):
        if not body.get(name):
            raise Refused(400, f"Missing required parameter: '{name}'.", param=name)
    documents = [text if isinstance(text, str) else text["text"] for text in body["documents"]]
    scores = scores_of(body["query"], documents)
    order = sorted(range(len(documents)), key=lambda index: -scores[index])[: body.get("top_n") or len(documents)]
    results = [
        {"index": index, "document": {"text": documents[index]}, "relevance_score": scores[index]} for index in order
    ]
    counts = {"total_tokens": sum(len(text.split()) for text in [body["query"], *documents])}
    return Answer(whole={"id": "rerank-1", "model": body["model"], "results": results, "usage": counts})


def scores_of(query: str, documents: list[str]) -> list[float]:
    """The score of a document is the share of the query's words that it has."""
    wanted = set(query.lower().split())
    return [len(wanted & set(text.lower().split())) / (len(wanted) or 1) for text in documents]


def vector_of(text: Any) -> list[float]:
    """A vector of float32 values that depends on the text alone."""
    made = random.Random(str(text))
    return [struct.unpack("<f", struct.pack("<f", made.uniform(-1, 1)))[0] for _ in range(DIMENSION)]


def _logprobs(words: list[str], top: int) -> dict[str, Any]:
    offsets = [sum(map(len, words[:place])) for place in range(len(words))]
    tops = [{word: -0.5, **{f"{place}": -0.5 - place for place in range(1, top)}} for word in words]
    return {"tokens": words, "token_logprobs": [-0.5] * len(words), "top_logprobs": tops, "text_offset": offsets}
