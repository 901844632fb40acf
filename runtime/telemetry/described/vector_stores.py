"""Searches of vector stores: how much was asked for and found; and what is put into them: how much. Neither what is
looked for nor what is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.sse import Reply
from runtime.telemetry import conventions as names
from runtime.telemetry.operation import RETRIEVAL, Described, Fields, bounded
from runtime.telemetry.spans import Attribute, Span


class _Found(msgspec.Struct):
    """What is counted of an answer: hits, or chunks."""

    data: list[msgspec.Raw] = []
    chunks: list[msgspec.Raw] = []


_found = msgspec.json.Decoder(_Found).decode
_USUAL_CHUNKS, _USUAL_DOCUMENT_CHUNKS = 3, 5
_OF_STORE = {"vector_store_id": names.DATA_SOURCE_ID}
_OF_FILE = {**_OF_STORE, "file_id": names.FILE_ID}
_OF_BATCH = {**_OF_STORE, "batch_id": names.BATCH_ID}
_OF_OLDER = {"vector_db_id": names.DATA_SOURCE_ID}


class Search(Described):
    """The hits of a store."""

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return {names.OPERATION: RETRIEVAL, names.PROVIDER: names.provider_name(provider_type)}

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        attributes = self.asked(request)
        stores = self.stores(request)
        if len(stores) == 1:
            attributes[names.DATA_SOURCE_ID] = store = bounded(stores[0])
            return f"{RETRIEVAL} {store}", attributes
        return RETRIEVAL, attributes

    def stores(self, request: Any) -> list[str]:
        """Where it looks."""
        return [request.vector_store_id]

    def asked(self, request: Any) -> dict[str, Attribute]:
        attributes: dict[str, Attribute] = {names.TOP_K: request.most, names.QUERIES: len(request.queries)}
        if request.search_mode is not None:
            attributes[names.SEARCH_MODE] = request.search_mode
        return attributes

    def answer(self, span: Span, answer: Any) -> None:
        if isinstance(answer, Reply):
            try:
                answer = _found(answer.data)
            except (msgspec.DecodeError, RecursionError):
                return
        span.attributes[names.FOUND] = self.found(answer)

    def found(self, answer: Any) -> int:
        """How much there is."""
        return len(answer.data)


class ChunkSearch(Search):
    """The chunks of a store, as they are kept."""

    def asked(self, request: Any) -> dict[str, Attribute]:
        params = request.params
        attributes: dict[str, Attribute] = {names.TOP_K: params.max_chunks if params else _USUAL_CHUNKS}
        if params is not None and params.mode is not None:
            attributes[names.SEARCH_MODE] = params.mode
        return attributes

    def found(self, answer: Any) -> int:
        return len(answer.chunks)


class DocumentSearch(Search):
    """What some stores have to say, written down for a model."""

    def stores(self, request: Any) -> list[str]:
        stores: list[str] = request.vector_db_ids
        return stores

    def asked(self, request: Any) -> dict[str, Attribute]:
        config = request.query_config
        return {names.TOP_K: config.max_chunks if config else _USUAL_DOCUMENT_CHUNKS}

    def found(self, answer: Any) -> int:
        return len(answer.metadata.get("chunks") or ())


_STORE, _FILE, _BATCH, _OLDER = (Fields(asked=one) for one in (_OF_STORE, _OF_FILE, _OF_BATCH, _OF_OLDER))

DESCRIBED: Mapping[str, Described] = {
    "search_store": Search(),
    "query_chunks": ChunkSearch(),
    "query_documents": DocumentSearch(),
    "create_store": Fields(counted={"file_ids": names.FILES}, answered={"id": names.DATA_SOURCE_ID}),
    "get_store": _STORE,
    "update_store": _STORE,
    "delete_store": _STORE,
    "reindex_store": _STORE,
    "list_files": _STORE,
    "attach_file": _FILE,
    "get_file": _FILE,
    "update_file": _FILE,
    "detach_file": _FILE,
    "read_file": _FILE,
    "create_file_batch": Fields(
        asked=_OF_STORE, counted={"file_ids": names.FILES, "files": names.FILES}, answered={"id": names.BATCH_ID}
    ),
    "get_file_batch": _BATCH,
    "cancel_file_batch": _BATCH,
    "list_batch_files": _BATCH,
    "insert_chunks": Fields(asked=_OF_STORE, counted={"chunks": names.CHUNKS}),
    "insert_documents": Fields(asked=_OF_OLDER, counted={"documents": names.DOCUMENTS}),
    "register_vector_db": _OLDER,
    "get_vector_db": _OLDER,
    "unregister_vector_db": _OLDER,
}
