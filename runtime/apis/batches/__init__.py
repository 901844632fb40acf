"""Batches: many requests in one file, answered in the background into another.

OpenAI's Batch API, https://platform.openai.com/docs/api-reference/batch.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "batches",
    "runtime.apis.batches.protocol:Batches",
    offered_with=("inference", "files"),
    stores=(Store(name="batches", families=("sql",), part="batches", kinds=("batches",)),),
)
