"""Implements `VectorStores` over the vector databases of `vector_io`: see `tables.py` for what is kept where."""

from __future__ import annotations

from runtime.apis._chunks import text_of
from runtime.apis._paging import PageRequest
from runtime.apis._request import Empty
from runtime.apis.file_processors.protocol import FileProcessors
from runtime.apis.files.protocol import Files
from runtime.apis.inference.protocol import Inference
from runtime.apis.models import Models
from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.vector_io.protocol import VectorIo
from runtime.apis.vector_stores import attached_file as file_api
from runtime.apis.vector_stores import older as older_api
from runtime.apis.vector_stores import store as store_api
from runtime.apis.vector_stores.batch import CreateFileBatchRequest, FileBatch, FileBatchRequest, ListBatchFilesRequest
from runtime.apis.vector_stores.configured import ConfiguredVectorStore
from runtime.apis.vector_stores.native import (
    InsertChunksRequest,
    QueryChunksParams,
    QueryChunksRequest,
    QueryChunksResponse,
)
from runtime.apis.vector_stores.search import SearchVectorStoreRequest
from runtime.context import current
from runtime.http.pages import Pages
from runtime.provider import ProviderContext
from runtime.providers.vector_stores.builtin.asking import Asking, options_of
from runtime.providers.vector_stores.builtin.attached import AttachedFiles, attached_file
from runtime.providers.vector_stores.builtin.batches import FileBatches
from runtime.providers.vector_stores.builtin.caring import Caring
from runtime.providers.vector_stores.builtin.chatting import Chat
from runtime.providers.vector_stores.builtin.config import VectorStoresConfig
from runtime.providers.vector_stores.builtin.contents import Contents
from runtime.providers.vector_stores.builtin.contextual import Contexts
from runtime.providers.vector_stores.builtin.copying import Copying
from runtime.providers.vector_stores.builtin.declared import DeclaredStores
from runtime.providers.vector_stores.builtin.documents import Documents
from runtime.providers.vector_stores.builtin.embedding import TextEmbedder
from runtime.providers.vector_stores.builtin.finding import Finding
from runtime.providers.vector_stores.builtin.index_vectors import IndexVectors
from runtime.providers.vector_stores.builtin.indexes import Indexes, Retired
from runtime.providers.vector_stores.builtin.indexing import FileIndexing
from runtime.providers.vector_stores.builtin.ingestion import Ingestion
from runtime.providers.vector_stores.builtin.inserting import Inserting
from runtime.providers.vector_stores.builtin.older import RagTool, VectorDbs
from runtime.providers.vector_stores.builtin.reading import Reading
from runtime.providers.vector_stores.builtin.reindexing import Reindexings
from runtime.providers.vector_stores.builtin.removing import Removing
from runtime.providers.vector_stores.builtin.rewriting import Rewriting
from runtime.providers.vector_stores.builtin.room import Room
from runtime.providers.vector_stores.builtin.searching import Searching
from runtime.providers.vector_stores.builtin.shown import queried_chunks, search_results
from runtime.providers.vector_stores.builtin.stores import Stores
from runtime.providers.vector_stores.builtin.tables import SCHEMA
from runtime.providers.vector_stores.builtin.words import Words
from runtime.providers.vector_stores.builtin.writing import Writing
from runtime.sse import Reply

_ASKED_AGAIN_MS = "200"


class BuiltinVectorStores:
    """Each method raises NotFound for a store, file or batch that the caller does not see, and Unavailable."""

    def __init__(self, config: VectorStoresConfig, context: ProviderContext) -> None:
        rows = context.storage.sql("vector_stores", SCHEMA)
        words = Words(rows)
        vectors = IndexVectors(context.api(VectorIo))  # type: ignore[type-abstract]
        inference = context.api(Inference)  # type: ignore[type-abstract]
        models = context.api(Models)  # type: ignore[type-abstract]
        files = context.optional_api(Files)  # type: ignore[type-abstract]
        processors = context.optional_api(FileProcessors)  # type: ignore[type-abstract]
        concurrency = config.file_batch_params.max_concurrent_files_per_batch
        self._tasks = context.tasks
        self._indexes = indexes = Indexes(rows)
        self._embedding = embedding = TextEmbedder(inference, models, context.tasks)
        chat = Chat(inference, models)
        self._contexts = contexts = Contexts(config.contextual_retrieval_params, chat)
        writing = Writing(rows, words, vectors, indexes, embedding)
        self._reading = reading = Reading(files, processors)
        indexing = FileIndexing(
            writing=writing,
            reading=reading,
            contexts=contexts,
            embedding=embedding,
            sizes=config.file_ingestion_params,
            room=Room(config.file_batch_params.max_bytes_at_once),
        )
        ingestion = Ingestion(
            rows, context, indexes=indexes, indexing=indexing, writing=writing, concurrency=concurrency
        )
        known, off = context.stack.provider_ids("vector_io"), context.stack.turned_on_by("vector_io")
        self._stores = Stores(config, rows, vectors, indexes, embedding, known, off)
        self._attached = AttachedFiles(
            rows, stores=self._stores, indexes=indexes, ingestion=ingestion, reading=reading, contexts=contexts
        )
        self._contents = Contents(rows, stores=self._stores, attached=self._attached, vectors=vectors, indexes=indexes)
        self._batches = FileBatches(rows, attached=self._attached, ingestion=ingestion)
        self._reindexings = Reindexings(
            rows,
            context,
            stores=self._stores,
            indexes=indexes,
            embedding=embedding,
            contexts=contexts,
            copying=Copying(rows, indexes=indexes, indexing=indexing, reading=reading, writing=writing),
            concurrency=concurrency,
        )
        self._removing = Removing(rows, words, vectors, indexes, context.tasks)
        searching = Searching(rows, words, vectors=vectors, indexes=indexes, embedding=embedding, inference=inference)
        self._finding = Finding(stores=self._stores, indexes=indexes, embedding=embedding, searching=searching)
        self._asking = Asking(config, models)
        self._rewriting = Rewriting(config.rewrite_query_params, chat)
        self._inserting = Inserting(rows, words, writing, indexes)
        pages = Pages(
            context.http,
            allow_private=config.read_private_addresses,
            allowed_by="`read_private_addresses` in the config of `vector_stores`",
        )
        self._vector_dbs = VectorDbs(self._stores, embedding)
        given = [one for one in context.registered if isinstance(one, ConfiguredVectorStore)]
        self._declared = DeclaredStores(given, self._stores, self._vector_dbs)
        self._rag_tool = RagTool(
            config.chunk_retrieval_params,
            stores=self._stores,
            embedding=embedding,
            documents=Documents(reading=reading, pages=pages),
            inserting=self._inserting,
            asking=self._asking,
            finding=self._finding,
            chat=chat,
        )
        self._caring = Caring(
            rows,
            stores=self._stores,
            indexes=indexes,
            attached=self._attached,
            ingestion=ingestion,
            reindexings=self._reindexings,
            removing=self._removing,
        )

    async def start(self) -> None:
        self._tasks.spawn(self._declared.run(), name="make the vector stores of the run config")
        self._tasks.spawn(self._caring.run(), name="look after vector stores")

    async def check_health(self) -> ProviderHealth:
        return self._declared.health()

    async def create_store(self, request: store_api.CreateVectorStoreRequest) -> store_api.VectorStore:
        await self._contexts.check([request.chunking_strategy])
        store = await self._stores.create(request)
        if request.file_ids:
            try:
                files = [file_api.FileToAttach(file_id=one) for one in request.file_ids]
                await self._attached.attach(store, files, field="file_ids[{}]")
            except BaseException:
                await self._stores.forget(store.row)
                raise
        [shown] = await self._stores.shown([store.row])
        return shown

    async def list_stores(self, request: PageRequest) -> store_api.VectorStoreList:
        return await self._stores.page(request)

    async def get_store(self, request: store_api.VectorStoreRequest) -> store_api.VectorStore:
        [shown] = await self._stores.shown([await self._stores.get(request.vector_store_id)])
        return shown

    async def update_store(self, request: store_api.UpdateVectorStoreRequest) -> store_api.VectorStore:
        [shown] = await self._stores.shown([await self._stores.update(request)])
        return shown

    async def delete_store(self, request: store_api.VectorStoreRequest) -> store_api.VectorStoreDeleted:
        self._declared.check_may_go(request.vector_store_id)
        await self._stores.delete(request.vector_store_id)
        self._removing.soon()
        return store_api.VectorStoreDeleted(id=request.vector_store_id)

    async def search_store(self, request: SearchVectorStoreRequest) -> Reply:
        if request.rewrite_query or request.ranking_options:  # models are asked only for a store that is there
            await self._stores.get(request.vector_store_id)
        texts = request.queries
        if request.rewrite_query:
            texts = await self._rewriting.rewritten(texts)
        asked = await self._asking.asked(
            texts,
            limit=request.most,
            mode=request.search_mode,
            filters=request.filters,
            options=request.ranking_options,
        )
        _, found = await self._finding.find(request.vector_store_id, asked)
        return search_results(found, texts, explain=bool(request.explain))

    async def reindex_store(self, request: store_api.ReindexRequest) -> store_api.Reindexing:
        return await self._reindexings.begin(request)

    async def attach_file(self, request: file_api.AttachFileRequest) -> file_api.AttachedFile:
        [row] = await self._attached.attach(await self._stores.open(request.vector_store_id), [request])
        return attached_file(row)

    async def list_files(self, request: file_api.ListAttachedFilesRequest) -> file_api.AttachedFileList:
        await self._stores.get(request.vector_store_id)
        return await self._attached.page(request.vector_store_id, request)

    async def get_file(self, request: file_api.AttachedFileRequest) -> file_api.AttachedFile:
        await self._stores.get(request.vector_store_id)
        row = await self._attached.get(request.vector_store_id, request.file_id)
        _say_when_to_ask_again(row["status"])
        return attached_file(row, is_stored=await self._reading.is_stored(request.file_id))

    async def update_file(self, request: file_api.UpdateAttributesRequest) -> file_api.AttachedFile:
        return attached_file(await self._attached.update(await self._stores.open(request.vector_store_id), request))

    async def detach_file(self, request: file_api.AttachedFileRequest) -> file_api.AttachedFileDeleted:
        await self._attached.detach(await self._stores.open(request.vector_store_id), request.file_id)
        self._removing.soon()
        return file_api.AttachedFileDeleted(id=request.file_id)

    async def read_file(self, request: file_api.ReadAttachedFileRequest) -> file_api.AttachedFileContent:
        return await self._contents.of_file(request)

    async def create_file_batch(self, request: CreateFileBatchRequest) -> FileBatch:
        return await self._batches.create(await self._stores.open(request.vector_store_id), request)

    async def get_file_batch(self, request: FileBatchRequest) -> FileBatch:
        await self._stores.get(request.vector_store_id)
        batch = await self._batches.get(request.vector_store_id, request.batch_id)
        _say_when_to_ask_again(batch.status)
        return batch

    async def cancel_file_batch(self, request: FileBatchRequest) -> FileBatch:
        await self._stores.get(request.vector_store_id)
        return await self._batches.cancel(request.vector_store_id, request.batch_id)

    async def list_batch_files(self, request: ListBatchFilesRequest) -> file_api.AttachedFileList:
        await self._stores.get(request.vector_store_id)
        return await self._batches.files(request)

    async def insert_chunks(self, request: InsertChunksRequest) -> None:
        while True:
            store = await self._stores.open(request.vector_store_id)
            await self._embedding.check(store.index)
            try:
                await self._inserting.insert(store.index, request.chunks, ttl_seconds=request.ttl_seconds)
            except Retired:
                continue
            self._removing.soon()
            return

    async def query_chunks(self, request: QueryChunksRequest) -> QueryChunksResponse:
        params = request.params or QueryChunksParams()
        asked = await self._asking.asked(
            [text_of(request.query)],
            limit=params.max_chunks,
            mode=params.mode,
            filters=params.filters,
            options=options_of(params.ranker, params.score_threshold),
            ranking="params.ranker",
        )
        while True:
            store, found = await self._finding.find(request.vector_store_id, asked)
            numbers = [one.row["number"] for one in found] if params.include_embeddings else []
            try:
                return queried_chunks(found, store.index, await self._contents.embeddings(store.index, numbers))
            except Retired:
                continue

    async def list_vector_dbs(self, request: Empty) -> older_api.VectorDbList:
        return await self._vector_dbs.list_all()

    async def register_vector_db(self, request: older_api.RegisterVectorDbRequest) -> older_api.VectorDb:
        return await self._vector_dbs.register(request)

    async def get_vector_db(self, request: older_api.VectorDbRequest) -> older_api.VectorDb:
        return await self._vector_dbs.get(request.vector_db_id)

    async def unregister_vector_db(self, request: older_api.VectorDbRequest) -> None:
        self._declared.check_may_go(request.vector_db_id)
        await self._stores.delete(request.vector_db_id, param="vector_db_id")
        self._removing.soon()

    async def insert_documents(self, request: older_api.InsertDocumentsRequest) -> None:
        await self._rag_tool.insert(request)
        self._removing.soon()

    async def query_documents(self, request: older_api.QueryDocumentsRequest) -> older_api.QueryDocumentsResponse:
        return await self._rag_tool.query(request)


def _say_when_to_ask_again(status: file_api.AttachedFileStatus) -> None:
    """OpenAI's clients, which wait a second otherwise, do as this header says."""
    if status == "in_progress":
        current().headers["openai-poll-after-ms"] = _ASKED_AGAIN_MS
