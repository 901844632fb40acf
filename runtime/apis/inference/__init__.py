"""Chat completions, completions, embeddings and reranking.

The models are OpenAI's, https://platform.openai.com/docs/api-reference/chat; a field that is not named there is passed
on to the provider. Messages and answers stay plain dicts: only code that needs what is in them looks inside.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "inference",
    "runtime.apis.inference.protocol:Inference",
    section="safety",
    in_replay="calls",
    stores=(Store(name="inference", families=("sql",), part="inference_store", kinds=("completions",)),),
)
