"""Vector stores: files that are found by what they say, and chunks that are inserted as they are.

OpenAI's API, https://platform.openai.com/docs/api-reference/vector-stores; llama-stack's own of chunks, and its older
names of both. Each is another form of the same stores: what one makes, all find.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store
from runtime.apis.vector_stores.configured import STORE

API = Api(
    "vector_stores",
    "runtime.apis.vector_stores.protocol:VectorStores",
    kept=STORE,
    mounted_with=("vector_io",),
    stores=(Store(name="vector_stores", families=("sql",), kinds=("vector_stores",)),),
)
