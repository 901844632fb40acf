"""Searches of a Weaviate before version 1.38.3, by GraphQL.

https://docs.weaviate.io/weaviate/api/graphql (read November 2026)
"""

from __future__ import annotations

import json
from typing import Any

from runtime.http.client import HttpClient
from runtime.http.transport import json_request
from runtime.providers.vector_io._shared.numbers import listed, packed
from runtime.providers.vector_io.weaviate.searching import GROUP, Hit, Query, SearchFailed, id_of, number_of


class GraphQl:
    def __init__(self, http: HttpClient, address: str) -> None:
        self._http, self._url = http, f"{address}/v1/graphql"

    async def hits(self, collection: str, query: Query) -> list[Hit]:
        """Raises SearchFailed and what the client raises."""
        answer = await self._http.value(json_request(self._url, {"query": text_of(collection, query)}))
        if answer.get("errors"):
            raise SearchFailed("; ".join(str(error.get("message")) for error in answer["errors"]))
        return [_hit(found["_additional"]) for found in answer["data"]["Get"][collection]]


def text_of(collection: str, query: Query) -> str:
    """The query in GraphQL."""
    arguments = [f"limit:{query.limit}"]
    if query.near is not None:
        arguments.append(f"nearVector:{{vector:{json.dumps(listed(query.near))}}}")
    if query.groups is not None:
        arguments.append(_where(GROUP, "valueNumber", [*query.groups]))
    if query.numbers is not None:
        arguments.append(_where("id", "valueText", [id_of(number) for number in query.numbers]))
    wanted = ["id", *(["distance"] if query.near is not None else []), *(["vector"] if query.has_vectors else [])]
    return f"{{Get{{{collection}({','.join(arguments)}){{_additional{{{' '.join(wanted)}}}}}}}}}"


def _where(path: str, kind: str, values: list[Any]) -> str:
    return f'where:{{path:["{path}"],operator:ContainsAny,{kind}:{json.dumps(values)}}}'


def _hit(found: dict[str, Any]) -> Hit:
    vector = packed(found["vector"]) if "vector" in found else b""
    return Hit(number=number_of(found["id"]), distance=found.get("distance") or 0.0, vector=vector)
