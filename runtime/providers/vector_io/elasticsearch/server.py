"""An Elasticsearch cluster, from version 8.11, by its REST API.

https://www.elastic.co/docs/api/doc/elasticsearch (read November 2026)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.apis.vector_io.protocol import group_of
from runtime.errors import UpstreamError, UpstreamRejected
from runtime.http.auth import NamedHeader
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.numbers import listed, packed, rows_of
from runtime.providers.vector_io._shared.pieces import Found, nearest, pieces, pieces_of_groups
from runtime.providers.vector_io._shared.remote import Missing, RemoteVectors
from runtime.providers.vector_io.elasticsearch.config import ElasticsearchConfig
from runtime.sse import encode

_AT_ONCE = 500
_MOST_GROUPS = 10_000
"""Of one request: an index takes 65,536 terms of a query (`index.max_terms_count`)."""
_MOST_HITS = 10_000
"""Of a search: `index.max_result_window`, and the limit of `num_candidates`."""
_CANDIDATES = 200
_ANSWERED = "errors,items.*.status,items.*.error"
_EXISTS = "resource_already_exists_exception"


def remote_elasticsearch(config: ElasticsearchConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of an Elasticsearch cluster."""
    return RemoteVectors(context, ElasticsearchServer(config, context))


class ElasticsearchServer:
    """Its indices. A document's id is a vector's number.

    Documents are written by an index's alias, and only if it is one, since a cluster makes an index that a document
    names and that is not there.
    """

    most_dimensions = 4096

    def __init__(self, config: ElasticsearchConfig, context: ProviderContext) -> None:
        self.place = "the Elasticsearch cluster"
        self._address = config.elasticsearch_url
        self._provider_id = context.provider_id
        self._http = context.http.with_auth(
            NamedHeader("authorization", context.keys, scheme="ApiKey"),
            address=self._address,
            timeouts=Timeouts(read_s=config.timeout_s),
        )

    async def dimension(self, name: str) -> int:
        [found] = (await self._call("GET", f"{_index(name)}/_mapping")).values()
        return int(found["mappings"]["properties"]["vector"]["dims"])

    async def create(self, name: str, dimension: int) -> None:
        """Raises what `_call` raises."""
        vector = {
            "type": "dense_vector",
            "dims": dimension,
            "similarity": "cosine",
            "index_options": {"type": "hnsw"},  # the default rounds each number to eight bits or one
        }
        properties = {"group": {"type": "long"}, "vector": vector}
        made = {"aliases": {_alias(name): {}}, "mappings": {"dynamic": "strict", "properties": properties}}
        try:
            await self._call("PUT", _index(name), made)
        except UpstreamRejected as error:
            if error.type != _EXISTS:
                raise

    async def drop(self, name: str) -> None:
        await self._call("DELETE", _index(name))

    async def put(self, name: str, numbers: Sequence[int], vectors: bytes, dimension: int) -> None:
        """Raises Missing, and UpstreamError with the first refusal of a document."""
        documents = [
            (str(number), {"group": group_of(number), "vector": vector})
            for number, vector in zip(numbers, rows_of(vectors, dimension), strict=True)
        ]
        for some in pieces(documents, _AT_ONCE):
            lines = [line for own, document in some for line in (encode({"index": {"_id": own}}), encode(document))]
            url = f"{self._address}/{_alias(name)}/_bulk?require_alias=true&filter_path={_ANSWERED}"
            headers = {"content-type": "application/x-ndjson"}
            answer = await self._http.value(
                Outgoing(method="POST", url=url, headers=headers, body=b"\n".join([*lines, b""]))
            )
            if answer["errors"]:
                self._raise_refusal(item["index"] for item in answer["items"])
        await self._call("POST", f"{_alias(name)}/_refresh")

    async def remove(self, name: str, groups: Sequence[int]) -> None:
        """Raises Missing, and UpstreamError for what could not be removed."""
        for some in pieces(groups, _MOST_GROUPS):
            answer = await self._call("POST", f"{_alias(name)}/_delete_by_query?refresh=true", {"query": _within(some)})
            if answer["failures"]:
                self._raise_refusal(answer["failures"])

    async def search(self, name: str, vector: bytes, limit: int, groups: Sequence[int] | None) -> Found:
        """Not more than 10,000, which it does not give."""
        most = min(limit, _MOST_HITS)
        near = {
            "field": "vector",
            "query_vector": listed(vector),
            "k": most,
            "num_candidates": min(max(2 * most, _CANDIDATES), _MOST_HITS),
        }
        found = []
        for some in pieces_of_groups(groups, _MOST_GROUPS):
            knn = near if some is None else {**near, "filter": _within(some)}
            hits = await self._hits(name, {"knn": knn, "size": most})
            found.append(([int(hit["_id"]) for hit in hits], [2 * hit["_score"] - 1 for hit in hits]))
        return nearest(found, most)

    async def read(self, name: str, numbers: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for some in pieces(numbers, _AT_ONCE):
            ids = {"ids": {"values": [str(number) for number in some]}}
            for hit in await self._hits(name, {"query": ids, "size": len(some), "fields": ["vector"]}):
                found[int(hit["_id"])] = packed(hit["fields"]["vector"])
        return found

    async def _hits(self, name: str, search: dict[str, Any]) -> Any:
        """Without the documents: from version 9.2 on, vectors are no part of them."""
        answer = await self._call("POST", f"{_alias(name)}/_search", {**search, "_source": False})
        return answer["hits"]["hits"]

    def _raise_refusal(self, items: Any) -> None:
        """Raises Missing or UpstreamError with the first one that has an error."""
        for item in items:
            if "error" in item or "cause" in item:
                cause = item.get("error") or item["cause"]
                if item["status"] == 404:
                    raise Missing(cause["reason"])
                raise UpstreamError(f"`{self._provider_id}` answered: {cause['reason']}", provider_id=self._provider_id)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return await self._http.value(json_request(f"{self._address}/{path}", body, method=method))


def _index(name: str) -> str:
    """Of a collection."""
    return f"llama-stack-{name}"


def _alias(name: str) -> str:
    return f"{_index(name)}-vectors"


def _within(groups: Sequence[int]) -> dict[str, Any]:
    return {"terms": {"group": [*groups]}}
