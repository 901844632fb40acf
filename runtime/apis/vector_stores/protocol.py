"""The operations of the API `vector_stores`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import route
from runtime.apis._paging import PageRequest
from runtime.apis._request import Empty
from runtime.apis.vector_stores.attached_file import (
    AttachedFile,
    AttachedFileContent,
    AttachedFileDeleted,
    AttachedFileList,
    AttachedFileRequest,
    AttachFileRequest,
    ListAttachedFilesRequest,
    ReadAttachedFileRequest,
    UpdateAttributesRequest,
)
from runtime.apis.vector_stores.batch import (
    CreateFileBatchRequest,
    FileBatch,
    FileBatchRequest,
    ListBatchFilesRequest,
)
from runtime.apis.vector_stores.native import InsertChunksRequest, QueryChunksRequest, QueryChunksResponse
from runtime.apis.vector_stores.older import (
    InsertDocumentsRequest,
    QueryDocumentsRequest,
    QueryDocumentsResponse,
    RegisterVectorDbRequest,
    VectorDb,
    VectorDbList,
    VectorDbRequest,
)
from runtime.apis.vector_stores.search import SearchResults, SearchVectorStoreRequest
from runtime.apis.vector_stores.store import (
    CreateVectorStoreRequest,
    Reindexing,
    ReindexRequest,
    UpdateVectorStoreRequest,
    VectorStore,
    VectorStoreDeleted,
    VectorStoreList,
    VectorStoreRequest,
)
from runtime.errors import Conflict, NotFound, Unavailable
from runtime.sse import Reply

_OLDER = "/v1/openai/v1/vector_stores"
_STORES = "/v1/vector_stores"
_ONE = "/{vector_store_id}"
_FILES = _ONE + "/files"
_FILE = _FILES + "/{file_id}"
_BATCHES = _ONE + "/file_batches"
_BATCH = _BATCHES + "/{batch_id}"


class VectorStores(Protocol):
    """A caller's own stores and those of users with whom the caller shares a group; any other is a 404.

    Each method raises Unavailable while the vector database or a model that it needs is down.
    """

    @route("POST", _STORES, aliases=(_OLDER,), raises=(NotFound, Unavailable))
    async def create_store(self, request: CreateVectorStoreRequest) -> VectorStore:
        """Make a vector store.

        404 for an unknown file, 400 for an unknown embedding model or provider and for a dimension that the model does
        not make.
        """
        ...

    @route("GET", _STORES, aliases=(_OLDER,), returns=VectorStoreList, raises=(Unavailable,))
    async def list_stores(self, request: PageRequest) -> VectorStoreList | Reply:
        """The caller's vector stores, the newest first. 400 for a cursor that is no store's id."""
        ...

    @route("GET", _STORES + _ONE, aliases=(_OLDER + _ONE,), raises=(Unavailable,))
    async def get_store(self, request: VectorStoreRequest) -> VectorStore:
        """What is known about a vector store. 404 for an unknown one."""
        ...

    @route("POST", _STORES + _ONE, aliases=(_OLDER + _ONE,), raises=(Unavailable,))
    async def update_store(self, request: UpdateVectorStoreRequest) -> VectorStore:
        """Change a vector store's name, description, expiry or metadata. 404 for an unknown one."""
        ...

    @route("DELETE", _STORES + _ONE, aliases=(_OLDER + _ONE,), raises=(Unavailable,))
    async def delete_store(self, request: VectorStoreRequest) -> VectorStoreDeleted:
        """Remove a vector store with its chunks; its files are kept. 404 for an unknown one."""
        ...

    @route(
        "POST",
        _STORES + _ONE + "/search",
        aliases=(_OLDER + _ONE + "/search",),
        returns=SearchResults,
        raises=(Unavailable,),
    )
    async def search_store(self, request: SearchVectorStoreRequest) -> SearchResults | Reply:
        """The chunks of a store that answer a question best.

        404 for an unknown store, 400 for an expired one, for one whose embedding model makes other vectors now, and for
        a model that cannot rerank.
        """
        ...

    @route("POST", _STORES + _ONE + "/reindex", raises=(Conflict, Unavailable))
    async def reindex_store(self, request: ReindexRequest) -> Reindexing:
        """Index all files of a store anew in the background, with another model or in other chunks.

        Searches use the old index until that is done. 404 for an unknown store, 400 for an unknown model or provider,
        409 while it is being done.
        """
        ...

    @route("POST", _STORES + _FILES, aliases=(_OLDER + _FILES,), raises=(Unavailable,))
    async def attach_file(self, request: AttachFileRequest) -> AttachedFile:
        """Read, cut and index a file in the background. 404 for an unknown store or file."""
        ...

    @route("GET", _STORES + _FILES, aliases=(_OLDER + _FILES,), returns=AttachedFileList, raises=(Unavailable,))
    async def list_files(self, request: ListAttachedFilesRequest) -> AttachedFileList | Reply:
        """A store's files, the newest first. 404 for an unknown store, 400 for a cursor that is no file of it."""
        ...

    @route("GET", _STORES + _FILE, aliases=(_OLDER + _FILE,), raises=(Unavailable,))
    async def get_file(self, request: AttachedFileRequest) -> AttachedFile:
        """How far a file of a store is. 404 for an unknown store or file."""
        ...

    @route("POST", _STORES + _FILE, aliases=(_OLDER + _FILE,), raises=(Unavailable,))
    async def update_file(self, request: UpdateAttributesRequest) -> AttachedFile:
        """Replace a file's attributes; the next search compares the new ones. 404 for an unknown store or file."""
        ...

    @route("DELETE", _STORES + _FILE, aliases=(_OLDER + _FILE,), raises=(Unavailable,))
    async def detach_file(self, request: AttachedFileRequest) -> AttachedFileDeleted:
        """Remove a file's chunks from a store; the file is kept. 404 for an unknown store or file."""
        ...

    @route(
        "GET",
        _STORES + _FILE + "/content",
        aliases=(_OLDER + _FILE + "/content",),
        returns=AttachedFileContent,
        raises=(Unavailable,),
    )
    async def read_file(self, request: ReadAttachedFileRequest) -> AttachedFileContent | Reply:
        """The chunks that a file was cut into. 404 for an unknown store or file, 400 for a wrong `page`."""
        ...

    @route("POST", _STORES + _BATCHES, aliases=(_OLDER + _BATCHES,), raises=(Unavailable,))
    async def create_file_batch(self, request: CreateFileBatchRequest) -> FileBatch:
        """Attach many files in the background. 404 for an unknown store; files that are unknown fail one by one."""
        ...

    @route("GET", _STORES + _BATCH, aliases=(_OLDER + _BATCH,), raises=(Unavailable,))
    async def get_file_batch(self, request: FileBatchRequest) -> FileBatch:
        """How far a batch of files is. 404 for an unknown store or batch."""
        ...

    @route("POST", _STORES + _BATCH + "/cancel", aliases=(_OLDER + _BATCH + "/cancel",), raises=(Unavailable,))
    async def cancel_file_batch(self, request: FileBatchRequest) -> FileBatch:
        """Give up the files of a batch that are not indexed yet. 404 for an unknown store or batch."""
        ...

    @route(
        "GET",
        _STORES + _BATCH + "/files",
        aliases=(_OLDER + _BATCH + "/files",),
        returns=AttachedFileList,
        raises=(Unavailable,),
    )
    async def list_batch_files(self, request: ListBatchFilesRequest) -> AttachedFileList | Reply:
        """A batch's files, the newest first. 404 for an unknown store or batch, 400 for a cursor that is none."""
        ...

    @route("POST", "/v1/vector-io/insert", is_bulk=True, status=204, raises=(NotFound, Unavailable))
    async def insert_chunks(self, request: InsertChunksRequest) -> None:
        """Keep chunks as they are; the next search finds them.

        404 for an unknown store, 400 for vectors of another length or model than the store's.
        """
        ...

    @route("POST", "/v1/vector-io/query", returns=QueryChunksResponse, raises=(NotFound, Unavailable))
    async def query_chunks(self, request: QueryChunksRequest) -> QueryChunksResponse | Reply:
        """The chunks of a store that answer a question best, as they are kept. 404 for an unknown store."""
        ...

    @route("GET", "/v1/vector-dbs", deprecated=True, raises=(Unavailable,))
    async def list_vector_dbs(self, request: Empty) -> VectorDbList:
        """The caller's vector stores, all of them. `GET /v1/vector_stores` has them page by page."""
        ...

    @route("POST", "/v1/vector-dbs", deprecated=True, raises=(Conflict, Unavailable))
    async def register_vector_db(self, request: RegisterVectorDbRequest) -> VectorDb:
        """Make a vector store under an id of the caller's; one that is there and the same stays.

        409 for one that is there and is another, 400 for an unknown embedding model.
        """
        ...

    @route("GET", "/v1/vector-dbs/{vector_db_id:path}", deprecated=True, raises=(Unavailable,))
    async def get_vector_db(self, request: VectorDbRequest) -> VectorDb:
        """What is known about a vector store. 404 for an unknown one."""
        ...

    @route("DELETE", "/v1/vector-dbs/{vector_db_id:path}", deprecated=True, status=204, raises=(Unavailable,))
    async def unregister_vector_db(self, request: VectorDbRequest) -> None:
        """Remove a vector store with its chunks. 404 for an unknown one."""
        ...

    @route(
        "POST",
        "/v1/tool-runtime/rag-tool/insert",
        is_bulk=True,
        deprecated=True,
        status=204,
        raises=(NotFound, Unavailable),
    )
    async def insert_documents(self, request: InsertDocumentsRequest) -> None:
        """Cut and index documents; the next search finds them.

        404 for an unknown store, 400 for a document that cannot be read.
        """
        ...

    @route("POST", "/v1/tool-runtime/rag-tool/query", deprecated=True, raises=(NotFound, Unavailable))
    async def query_documents(self, request: QueryDocumentsRequest) -> QueryDocumentsResponse:
        """What some stores have to say to a question, written down for a model.

        404 for an unknown store, 400 for an unknown model.
        """
        ...
