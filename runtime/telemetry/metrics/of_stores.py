"""Vector stores: what is put into them, and searched in them. What ogx calls its API `vector_io` is `vector_stores`
here: the one that has stores, and not the database below it.
"""

from __future__ import annotations

from runtime.telemetry import conventions as names
from runtime.telemetry.metrics import values as also
from runtime.telemetry.metrics.instruments import Counter, Histogram, Instrument
from runtime.telemetry.metrics.values import number, text
from runtime.telemetry.spans import Span

_INSERTS = {"insert_chunks": "chunks", "insert_documents": "documents", "attach_file": "file"}
_QUERIES = {"search_store": "search", "query_chunks": "chunks", "query_documents": "documents"}
_DELETES = {"delete_store": "store", "unregister_vector_db": "store", "detach_file": "file"}
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Stores:
    """Counts have the store, durations have not: they are a dozen series each, and there may be a store a user."""

    def __init__(self) -> None:
        at, of_call = "llama_stack.vector_io", ("operation", "provider", "status")
        by = ("vector_db", *of_call)
        self._inserts = Counter(f"{at}.inserts_total", "1", "Times that something was put into a store.", by)
        self._queries = Counter(f"{at}.queries_total", "1", "Searches.", (*by, "search_mode"))
        self._deletes = Counter(f"{at}.deletes_total", "1", "Times that something was removed.", by)
        self._stores = Counter(f"{at}.stores_total", "1", "Stores that were made.", of_call)
        self._files = Counter(f"{at}.files_total", "1", "Files that were put into a store.", by)
        self._chunks = Counter(f"{at}.chunks_processed_total", "1", "Chunks that were put into a store as such.", by)
        self._found = Counter(f"{at}.documents_retrieved_total", "1", "What searches have found.", by)
        self._insert_s = Histogram(
            f"{at}.insert_duration_seconds", "s", "Duration of putting something into a store.", of_call, _SECONDS
        )
        self._query_s = Histogram(
            f"{at}.retrieval_duration_seconds", "s", "Duration of searches.", (*of_call, "search_mode"), _SECONDS
        )
        self.instruments: tuple[Instrument, ...] = (
            *(self._inserts, self._queries, self._deletes, self._stores, self._files, self._chunks, self._found),
            *(self._insert_s, self._query_s),
        )

    def count(self, span: Span, seconds: float) -> None:
        said = span.attributes
        operation, outcome = text(said.get(names.API_OPERATION)), also.ERROR if span.error else also.SUCCESS
        provider, store = text(said.get(names.PROVIDER_ID)), text(said.get(names.DATA_SOURCE_ID))
        if (kind := _QUERIES.get(operation)) is not None:
            mode = text(said.get(names.SEARCH_MODE))
            self._queries.add((store, kind, provider, outcome, mode))
            self._query_s.record((kind, provider, outcome, mode), seconds)
            if found := said.get(names.FOUND):
                self._found.add((store, kind, provider, outcome), number(found))
        elif (kind := _INSERTS.get(operation)) is not None:
            self._inserts.add((store, kind, provider, outcome))
            self._insert_s.record((kind, provider, outcome), seconds)
            if kind == "file":
                self._files.add((store, kind, provider, outcome))
            if chunks := said.get(names.CHUNKS):
                self._chunks.add((store, kind, provider, outcome), number(chunks))
        elif (kind := _DELETES.get(operation)) is not None:
            self._deletes.add((store, kind, provider, outcome))
        elif operation == "create_store":
            self._stores.add(("create", provider, outcome))
