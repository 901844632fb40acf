"""Our models have every property that OpenAI's specification 2.3.0 has for these routes, each with a description."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from runtime.apis.batches.batch import Batch, BatchList, CreateBatchRequest
from runtime.apis.files.file import FileDeleted, FileList, UploadFileRequest
from runtime.apis.files.upload import (
    AddUploadPartRequest,
    CompleteUploadRequest,
    CreateUploadRequest,
    FileUpload,
    UploadPart,
)
from runtime.apis.inference.chat import ChatCompletionRequest
from runtime.apis.inference.chat_answers import ChatCompletion, ChatCompletionChunk
from runtime.apis.inference.completions import Completion, CompletionRequest
from runtime.apis.inference.embeddings import EmbeddingsRequest, EmbeddingsResponse
from runtime.apis.inference.rerank import RankedItems, RerankItemsRequest, RerankRequest, RerankResponse
from runtime.apis.inference.stored import (
    CompletionMessagesRequest,
    DeletedCompletion,
    StoredCompletionList,
    StoredCompletionsRequest,
    StoredMessageList,
    UpdateCompletionRequest,
)
from runtime.apis.safety.moderations import Moderation, ModerationRequest
from runtime.apis.safety.shielding import RunShieldRequest, RunShieldResponse
from runtime.apis.shields.protocol import RegisterShieldRequest, Shield
from runtime.apis.vector_stores.attached_file import (
    AttachedFileContent,
    AttachedFileDeleted,
    AttachedFileList,
    AttachFileRequest,
    UpdateAttributesRequest,
)
from runtime.apis.vector_stores.batch import CreateFileBatchRequest, FileBatch
from runtime.apis.vector_stores.native import InsertChunksRequest, QueryChunksRequest, QueryChunksResponse
from runtime.apis.vector_stores.older import (
    InsertDocumentsRequest,
    QueryDocumentsRequest,
    QueryDocumentsResponse,
    RegisterVectorDbRequest,
    VectorDbList,
)
from runtime.apis.vector_stores.search import RankingOptions, SearchResults, SearchVectorStoreRequest
from runtime.apis.vector_stores.store import (
    CreateVectorStoreRequest,
    Reindexing,
    ReindexRequest,
    UpdateVectorStoreRequest,
    VectorStoreDeleted,
    VectorStoreList,
)
from runtime.server.openapi.schemas import Schemas
from tests.unit.apis.openai_properties import KEPT, SCHEMAS, of_openai, properties

MODELS: dict[str, type[BaseModel]] = dict(
    zip(
        SCHEMAS,
        (
            ChatCompletionRequest,
            ChatCompletion,
            ChatCompletionChunk,
            StoredCompletionList,
            StoredMessageList,
            DeletedCompletion,
            CompletionRequest,
            Completion,
            EmbeddingsRequest,
            EmbeddingsResponse,
            UploadFileRequest,
            FileList,
            FileDeleted,
            CreateUploadRequest,
            AddUploadPartRequest,
            CompleteUploadRequest,
            FileUpload,
            UploadPart,
            CreateVectorStoreRequest,
            UpdateVectorStoreRequest,
            VectorStoreList,
            VectorStoreDeleted,
            AttachFileRequest,
            UpdateAttributesRequest,
            AttachedFileList,
            AttachedFileDeleted,
            AttachedFileContent,
            CreateFileBatchRequest,
            FileBatch,
            SearchVectorStoreRequest,
            RankingOptions,
            SearchResults,
            ModerationRequest,
            Moderation,
            Batch,
            BatchList,
        ),
        strict=True,
    )
)
OWN = (
    *(RerankRequest, RerankResponse, RerankItemsRequest, RankedItems),
    *(StoredCompletionsRequest, CompletionMessagesRequest, UpdateCompletionRequest),
    *(ReindexRequest, Reindexing, InsertChunksRequest, QueryChunksRequest, QueryChunksResponse),
    *(RunShieldRequest, RunShieldResponse, Shield, RegisterShieldRequest),
    CreateBatchRequest,
    *(RegisterVectorDbRequest, VectorDbList, InsertDocumentsRequest, QueryDocumentsRequest, QueryDocumentsResponse),
)
DOCUMENT = Path(__file__).parents[4] / "shared" / "reference" / "openapi" / "openai-2.3.0.yml"


def ours(model: type[BaseModel]) -> dict[str, str]:
    """As the API's document has them."""
    schemas = Schemas([model])
    return properties({"components": {"schemas": schemas.components}}, schemas.of(model))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_property_of_openai_s_is_ours(name: str, note: Callable[[str], None]) -> None:
    theirs = json.loads(KEPT.read_text(encoding="utf-8"))[name]
    found = ours(MODELS[name])
    missing = [path for path in theirs if path not in found]
    note(f"{name}: {len(theirs) - len(missing)} of {len(theirs)} properties of OpenAI's specification")
    assert not missing


@pytest.mark.parametrize("model", [*MODELS.values(), *OWN], ids=lambda model: model.__name__)
def test_every_property_is_described(model: type[BaseModel]) -> None:
    assert [path for path, description in ours(model).items() if not description] == []


def test_a_property_that_is_missing_is_found() -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"items": {"properties": {"b": {}}}}}}
    assert properties(schema, schema) == {"a": "", "a.[].b": ""}


@pytest.mark.skipif(not DOCUMENT.exists(), reason="OpenAI's document lies beside the checkout only where we develop")
def test_the_list_of_properties_is_that_of_the_document() -> None:
    assert json.loads(KEPT.read_text(encoding="utf-8")) == of_openai(DOCUMENT)
