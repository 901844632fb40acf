"""LlamaIndex's embeddings for servers with OpenAI's routes, and a vector store as its retriever."""

from __future__ import annotations

from typing import Any

from animals import QUESTION, WILD, AnimalStore
from driver import TEXTS, serve
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from openai import OpenAI


def client(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120)


class StoreRetriever(BaseRetriever):
    """What a vector store finds, as LlamaIndex's nodes."""

    def __init__(self, url: str, store_id: str, filters: dict[str, Any]) -> None:
        self._at = client(url)
        self._store_id = store_id
        self._filters = filters
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        asked = query_bundle.query_str
        hits = self._at.vector_stores.search(self._store_id, query=asked, filters=self._filters)
        return [
            NodeWithScore(
                node=TextNode(
                    text=hit.content[0].text, metadata={"filename": hit.filename, "attributes": hit.attributes}
                ),
                score=hit.score,
            )
            for hit in hits
        ]


def embeddings(url: str, model: str) -> Any:
    at = OpenAILikeEmbedding(
        model_name=model, api_base=f"{url}/v1", api_key="none", max_retries=0, timeout=120, embed_batch_size=10
    )
    return {
        "default": at.get_text_embedding_batch(TEXTS),
        "single": [at.get_query_embedding(text) for text in TEXTS],
    }


def stores(url: str) -> Any:
    store = AnimalStore(client(url))
    found = StoreRetriever(url, store.id, WILD).retrieve(QUESTION)
    hits = [[each.metadata["filename"], each.metadata["attributes"], each.get_content()] for each in found]
    return {"hits": hits, "deleted": store.remove()}


if __name__ == "__main__":
    serve("llama-index-embeddings-openai-like", {"embeddings": embeddings, "stores": stores})
