"""The properties of OpenAI's schemas, by their path: `messages.[].content`.

Run `python -m tests.unit.apis.openai_properties OPENAPI.yml` to write `openai_properties.json` anew from OpenAI's
document. The same walk reads our own models, so that both are counted alike.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

KEPT = Path(__file__).with_suffix(".json")
SCHEMAS = (
    "CreateChatCompletionRequest",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "ChatCompletionList",
    "ChatCompletionMessageList",
    "ChatCompletionDeleted",
    "CreateCompletionRequest",
    "CreateCompletionResponse",
    "CreateEmbeddingRequest",
    "CreateEmbeddingResponse",
    "CreateFileRequest",
    "ListFilesResponse",
    "DeleteFileResponse",
    "CreateUploadRequest",
    "AddUploadPartRequest",
    "CompleteUploadRequest",
    "Upload",
    "UploadPart",
    "CreateVectorStoreRequest",
    "UpdateVectorStoreRequest",
    "ListVectorStoresResponse",
    "DeleteVectorStoreResponse",
    "CreateVectorStoreFileRequest",
    "UpdateVectorStoreFileAttributesRequest",
    "ListVectorStoreFilesResponse",
    "DeleteVectorStoreFileResponse",
    "VectorStoreFileContentResponse",
    "CreateVectorStoreFileBatchRequest",
    "VectorStoreFileBatchObject",
    "VectorStoreSearchRequest",
    "RankingOptions",
    "VectorStoreSearchResultsPage",
    "CreateModerationRequest",
    "CreateModerationResponse",
    "Batch",
    "ListBatchesResponse",
)


def properties(document: Mapping[str, Any], schema: Any) -> dict[str, str]:
    """Every property of a schema and of what is in it, with its description; empty where it has none."""
    found: dict[str, str] = {}
    for path, description in _walk(document, schema, (), ()):
        found[path] = found.get(path) or description
    return found


def _walk(
    document: Mapping[str, Any], schema: Any, path: tuple[str, ...], within: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        return
    if (reference := schema.get("$ref")) is not None:
        if reference not in within:
            yield from _walk(document, _at(document, reference), path, (*within, reference))
        return
    for several in ("allOf", "oneOf", "anyOf"):
        for one in schema.get(several, ()):
            yield from _walk(document, one, path, within)
    for name, inner in (schema.get("properties") or {}).items():
        yield ".".join((*path, name)), str(inner.get("description") or "")
        yield from _walk(document, inner, (*path, name), within)
    yield from _walk(document, schema.get("items"), (*path, "[]"), within)


def _at(document: Mapping[str, Any], reference: str) -> Any:
    value: Any = document
    for part in reference.removeprefix("#/").split("/"):
        value = value[part]
    return value


def of_openai(path: Path) -> dict[str, list[str]]:
    """The properties of each of `SCHEMAS` in OpenAI's document."""
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schemas = document["components"]["schemas"]
    return {name: sorted(properties(document, schemas[name])) for name in SCHEMAS}


if __name__ == "__main__":
    KEPT.write_text(json.dumps(of_openai(Path(sys.argv[1])), indent=1) + "\n", encoding="utf-8")
