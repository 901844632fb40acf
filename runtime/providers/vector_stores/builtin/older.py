"""Vector stores under the names that llama-stack 0.1 to 0.3 had for them: vector databases, and the RAG tool."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from runtime.apis._chunks import ChunkContent, ChunkText, text_of
from runtime.apis._paging import PageRequest
from runtime.apis.vector_stores.older import (
    InsertDocumentsRequest,
    JoinedTexts,
    QueryDocumentsRequest,
    QueryDocumentsResponse,
    RagQueryConfig,
    RegisterVectorDbRequest,
    VectorDb,
    VectorDbList,
    WrittenByModel,
)
from runtime.apis.vector_stores.store import CreateVectorStoreRequest
from runtime.concurrently import concurrently
from runtime.documents.tokens import cl100k
from runtime.errors import Conflict
from runtime.providers.vector_stores.builtin.asking import Asking, options_of
from runtime.providers.vector_stores.builtin.chatting import Chat
from runtime.providers.vector_stores.builtin.config import Retrieval
from runtime.providers.vector_stores.builtin.documents import Documents
from runtime.providers.vector_stores.builtin.embedding import TextEmbedder
from runtime.providers.vector_stores.builtin.finding import Finding
from runtime.providers.vector_stores.builtin.indexes import Retired
from runtime.providers.vector_stores.builtin.inserting import DocumentChunks, Inserting
from runtime.providers.vector_stores.builtin.searching import Found
from runtime.providers.vector_stores.builtin.stores import Opened, Stores

_PAGE = 100
_AT_ONCE = 4
"""Documents that are cut, and stores that are searched, at a time."""
_MAX_QUERY_TOKENS = 200
_MESSAGES = re.compile(r"\{\{\s*messages\s*\}\}")
_PLACES = re.compile(r"(\{index\}|\{chunk\.content\}|\{metadata\})")
_UNSHOWN = {"chunk_id", "chunk_tokenizer", "chunk_window", "embedding_model", "token_count", "metadata_token_count"}
"""Metadata of chunks that says nothing to a model."""


class VectorDbs:
    """Stores, as vector databases."""

    def __init__(self, stores: Stores, embedding: TextEmbedder) -> None:
        self._stores = stores
        self._embedding = embedding

    async def list_all(self) -> VectorDbList:
        """The newest first."""
        found: list[VectorDb] = []
        after: str | None = None
        while True:
            page = await self._stores.page(PageRequest(limit=_PAGE, after=after))
            found += [
                _vector_db(one.id, one.provider_id, one.embedding_model, one.embedding_dimension, one.name)
                for one in page.data
                if one.provider_id and one.embedding_model and one.embedding_dimension  # others have expired
            ]
            if not page.has_more:
                return VectorDbList(data=found)
            after = page.last_id

    async def register(self, request: RegisterVectorDbRequest) -> VectorDb:
        """Raises as `kept` does."""
        return _shown(await self.kept(request))

    async def kept(self, request: RegisterVectorDbRequest) -> Opened:
        """The store of this id, made if there is none. Raises Conflict if there is another one, RequestError for an
        unknown model or provider and for one that has expired.
        """
        if (store := await self._same(request)) is not None:
            return store
        wanted = CreateVectorStoreRequest(
            name=request.vector_db_name or request.vector_db_id,
            embedding_model=request.embedding_model,
            embedding_dimension=request.embedding_dimension,
            provider_id=request.provider_id,
        )
        try:
            return await self._stores.create(wanted, store_id=request.vector_db_id)
        except Conflict:
            store = await self._same(request)  # another request has just made it
            if store is None:
                raise
            return store

    async def get(self, store_id: str) -> VectorDb:
        """Raises NotFound, and RequestError if it has expired."""
        return _shown(await self._stores.open(store_id, param="vector_db_id"))

    async def _same(self, request: RegisterVectorDbRequest) -> Opened | None:
        row = await self._stores.find(request.vector_db_id)
        if row is None:
            return None
        store = await self._stores.opened(row, param="vector_db_id")
        index = store.index
        asked = None if request.embedding_model is None else await self._embedding.model(request.embedding_model)
        compared = {  # what it has, and what is asked for
            "embedding_model": (index.embedding_source, asked and asked.source),
            "embedding_dimension": (index.dimension, request.embedding_dimension),
            "provider_id": (index.provider_id, request.provider_id),
        }
        for field, (has, wanted) in compared.items():
            if wanted not in (None, has):
                raise Conflict(
                    f"There is a vector store `{store.id}` with the {field} `{has}`, not `{wanted}`",
                    hint="take another id, or remove that one first",
                    param=field,
                    code="already_exists",
                )
        return store


class RagTool:
    """retrieval: what holds where a request does not say otherwise."""

    def __init__(
        self,
        retrieval: Retrieval,
        *,
        stores: Stores,
        embedding: TextEmbedder,
        documents: Documents,
        inserting: Inserting,
        asking: Asking,
        finding: Finding,
        chat: Chat,
    ) -> None:
        self._retrieval = retrieval
        self._stores = stores
        self._embedding = embedding
        self._documents = documents
        self._inserting = inserting
        self._asking = asking
        self._finding = finding
        self._chat = chat

    async def insert(self, request: InsertDocumentsRequest) -> None:
        """Keep documents, all or none of them. Raises NotFound for the store, RequestError for a document that cannot
        be read, and what reading and embedding raise.
        """
        store = await self._stores.open(request.vector_db_id, param="vector_db_id")
        await self._embedding.check(store.index)
        latest = {one.document_id: one for one in request.documents}

        cut = await concurrently(
            lambda one: self._documents.cut(one, chunk_tokens=request.chunk_size_in_tokens),
            latest.values(),
            at_once=_AT_ONCE,
        )
        await self._keep(store, cut)

    async def _keep(self, store: Opened, documents: Sequence[DocumentChunks]) -> None:
        while True:
            try:
                await self._inserting.replace(store.index, documents)
            except Retired:
                store = await self._stores.open(store.id, param="vector_db_id")
            else:
                return

    async def query(self, request: QueryDocumentsRequest) -> QueryDocumentsResponse:
        """Raises NotFound for a store, RequestError for a model that is unknown, and what searching raises."""
        config = request.query_config or RagQueryConfig()
        ids = list(dict.fromkeys(request.vector_db_ids))
        for one in ids:
            await self._stores.get(one, param="vector_db_ids")
        text = await self._text(request.content, config)
        asked = await self._asking.asked(
            [text],
            limit=config.max_chunks,
            mode=config.mode,
            filters=None,
            options=options_of(config.ranker, 0),
            ranking="query_config.ranker",
        )

        async def search(store_id: str) -> list[tuple[Found, str]]:
            _, found = await self._finding.find(store_id, asked, param="vector_db_ids")
            return [(one, store_id) for one in found]

        several = await concurrently(search, ids, at_once=_AT_ONCE)
        hits = sorted((hit for found in several for hit in found), key=lambda hit: -hit[0].score)
        limit = config.max_tokens_in_context or self._retrieval.max_tokens_in_context
        shown = await asyncio.to_thread(_fitting, hits[: config.max_chunks], config.chunk_template, limit)
        kept = hits[: len(shown)]
        metadata = {
            "document_ids": [found.group.source for found, _ in kept],
            "chunks": [found.row["text"] for found, _ in kept],
            "scores": [found.score for found, _ in kept],
            "vector_db_ids": [store_id for _, store_id in kept],
        }
        if not shown:
            return QueryDocumentsResponse(content=None, metadata=metadata)
        question = text_of(request.content)
        words = [
            f"A search in the documents found {len(shown)} passages. They begin here.\n",
            *shown,
            "Here the passages end.\n",
            f'They were looked up for this request: "{question}". Use what they say where it helps to answer it.\n',
        ]
        return QueryDocumentsResponse(content=[ChunkText(text=one) for one in words], metadata=metadata)

    async def _text(self, content: ChunkContent, config: RagQueryConfig) -> str:
        how = config.query_generator_config or JoinedTexts()
        parts = content if isinstance(content, list) else [content]
        if not isinstance(how, WrittenByModel):
            return how.separator.join(filter(None, map(text_of, parts)))
        model = await self._chat.model(how.model, param="query_config")
        prompt = _MESSAGES.sub(lambda _: text_of(content), how.template)
        return await self._chat.says(model, prompt, max_tokens=_MAX_QUERY_TOKENS) or text_of(content)


def _vector_db(store_id: str, provider_id: str, model: str, dimension: int, name: str) -> VectorDb:
    return VectorDb(
        identifier=store_id,
        provider_resource_id=store_id,
        provider_id=provider_id,
        embedding_model=model,
        embedding_dimension=dimension,
        vector_db_name=name or None,
    )


def _shown(store: Opened) -> VectorDb:
    index = store.index
    return _vector_db(store.id, index.provider_id, index.embedding_model, index.dimension, store.row["name"])


def _fitting(hits: Sequence[tuple[Found, str]], template: str, max_tokens: int) -> list[str]:
    """The first hits as a model is to see them, as many as have so many tokens together."""
    shown: list[str] = []
    tokens = 0
    for place, (found, _) in enumerate(hits, start=1):
        metadata = {**(found.row["facts"].get("metadata") or {}), **found.group.attributes}
        values = {
            "{index}": str(place),
            "{chunk.content}": found.row["text"],
            "{metadata}": str({name: value for name, value in metadata.items() if value and name not in _UNSHOWN}),
        }
        text = "".join(values.get(part, part) for part in map(str, _PLACES.split(template)))
        tokens += cl100k().count(text)
        if tokens > max_tokens:
            break
        shown.append(text)
    return shown
