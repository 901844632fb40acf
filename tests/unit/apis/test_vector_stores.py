"""What requests of vector stores accept and refuse: filters, limits, and fields of which exactly one is given."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.apis._chunks import ChunkImage, ChunkText, text_of
from runtime.apis._request import Request
from runtime.apis.file_processors.protocol import ProcessFileRequest
from runtime.apis.vector_stores import API
from runtime.apis.vector_stores.attached_file import AttachFileRequest, FileToAttach, UpdateAttributesRequest
from runtime.apis.vector_stores.batch import CreateFileBatchRequest
from runtime.apis.vector_stores.filters import MAX_FILTER_DEPTH, MAX_FILTERS, CompoundFilter
from runtime.apis.vector_stores.native import ChunkToInsert, InsertChunksRequest, QueryChunksRequest
from runtime.apis.vector_stores.older import InsertDocumentsRequest, QueryDocumentsRequest
from runtime.apis.vector_stores.search import SearchVectorStoreRequest
from runtime.apis.vector_stores.store import CreateVectorStoreRequest, UpdateVectorStoreRequest
from runtime.invalid.in_json import invalid_request

STORE = {"vector_store_id": "vs_1"}


def read(model: type[Request], **fields: Any) -> Any:
    return model.model_validate(fields)


def refusal(model: type[Request], **fields: Any) -> str:
    """What the caller of a request is told; the test fails if the request is accepted."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return invalid_request(caught.value, model, fields).message


def search(**fields: Any) -> SearchVectorStoreRequest:
    return SearchVectorStoreRequest.model_validate({**STORE, "query": "grazing", **fields})


def refused_search(**fields: Any) -> str:
    return refusal(SearchVectorStoreRequest, **{**STORE, "query": "grazing", **fields})


def compare(operator: str, value: Any, key: str = "year") -> dict[str, Any]:
    return {"type": operator, "key": key, "value": value}


# filters


@pytest.mark.parametrize("operator", ["eq", "ne", "gt", "gte", "lt", "lte"])
@pytest.mark.parametrize("value", [2026, 0.5, "été", -(2**63)])
def test_one_value_is_compared_and_keeps_its_type(operator: str, value: Any) -> None:
    [filters] = [search(filters=compare(operator, value)).filters]
    assert filters is not None and (filters.type, filters.value, type(filters.value)) == (operator, value, type(value))


@pytest.mark.parametrize("operator", ["in", "nin"])
def test_several_values_are_compared_and_keep_their_types(operator: str) -> None:
    filters = search(filters=compare(operator, [1, 1.5, "a", True])).filters
    assert filters is not None
    assert [(one, type(one)) for one in filters.value] == [(1, int), (1.5, float), ("a", str), (True, bool)]


def test_filters_are_nested() -> None:
    both = {"type": "or", "filters": [compare("eq", 1), {"type": "and", "filters": [compare("in", ["a"])]}]}
    filters = search(filters=both).filters
    assert isinstance(filters, CompoundFilter) and isinstance(filters.filters[1], CompoundFilter)
    assert filters.model_dump() == both


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (compare("like", 1), "`filters.type`: expected `eq`"),
        (compare("eq", None), "`filters.value`: must be a text, a number or a boolean"),
        (compare("eq", {"a": 1}), "`filters.value`: must be a text, a number or a boolean"),
        (compare("in", [1, None]), "`filters.value[1]`: must be a text, a number or a boolean"),
        (compare("eq", [1]), "`filters.value`: `eq` compares with one value, not a list"),
        (compare("nin", 1), "`filters.value`: `nin` compares with a list"),
        (compare("gt", True), "`filters.value`: `gt` compares numbers or texts, not booleans"),
        (compare("eq", 2**63), "`filters.value`: must be a whole number of 64 bits"),
        (compare("eq", float("inf")), "`filters.value`: must be a finite number"),
        (compare("eq", "x" * 513), "`filters.value`: has more than 512 characters"),
        (compare("eq", 1, key="k" * 65), "`filters.key`"),
        (compare("in", list(range(1001))), "`filters.value`"),
        ({"key": "year", "value": 1}, "`filters.type`: is missing (expected `eq`, "),
        ([], "`filters`: expected an object, got an array"),
        ({"type": "and", "filters": []}, "`filters.filters`"),
        ({"type": "and", "filters": [compare("eq", 1), compare("is", 1)]}, "`filters.filters[1].type`"),
        ({"type": "and", "filters": [compare("eq", 1)], "not": True}, "`filters.not`"),
    ],
)
def test_a_wrong_filter_is_named(filters: Any, words: str) -> None:
    assert words in refused_search(filters=filters)


def nested(depth: int) -> dict[str, Any]:
    filters = compare("eq", 1)
    for _ in range(depth - 1):
        filters = {"type": "and", "filters": [filters]}
    return filters


def test_filters_are_bounded_in_depth_number_and_values() -> None:
    search(filters=nested(MAX_FILTER_DEPTH))
    assert "8 deep" in refused_search(filters=nested(MAX_FILTER_DEPTH + 1))
    wide = {"type": "or", "filters": [compare("eq", number) for number in range(MAX_FILTERS - 1)]}
    search(filters=wide)
    assert "at most 200 filters" in refused_search(filters={"type": "and", "filters": [wide]})
    lists = [compare("in", list(range(500))), compare("nin", list(range(500)))]
    search(filters={"type": "and", "filters": lists})
    more = {"type": "or", "filters": [*lists, compare("in", [1])]}
    assert "at most 1000 values" in refused_search(filters=more)


def test_filters_of_any_depth_are_refused() -> None:
    with pytest.raises(ValidationError):
        search(filters=nested(100_000))


# searches


def test_a_search_has_one_query_or_several() -> None:
    assert search().queries == ["grazing"]
    assert search(query=["a", "b"]).queries == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"query": ""}, "`query`: expected at least 1 character, got none"),
        ({"query": []}, "`query`: expected at least 1 item, got none"),
        ({"query": 5}, "`query`: expected a string or an array, got `5`"),
        ({"query": ["a"] * 33}, "`query`"),
        ({"query": ["a", ""]}, "`query[1]`"),
        ({"max_num_results": 0}, "`max_num_results`"),
        ({"max_num_results": 51}, "`max_num_results`"),
        ({"search_mode": "fuzzy"}, "`search_mode`"),
        ({"ranking_options": {"ranker": "best"}}, "`ranking_options.ranker`"),
        ({"ranking_options": {"score_threshold": 1.1}}, "`ranking_options.score_threshold`"),
        ({"ranking_options": {"alpha": -0.1}}, "`ranking_options.alpha`"),
        ({"ranking_options": {"impact_factor": 0}}, "`ranking_options.impact_factor`"),
        (
            {"ranking_options": {"hybrid_search": {"embedding_weight": 0, "text_weight": 0}}},
            "`ranking_options.hybrid_search`: one of the weights must be greater than 0",
        ),
        (
            {"ranking_options": {"ranker": "weighted", "hybrid_search": {"embedding_weight": 1, "text_weight": 1}}},
            "`ranking_options`: `hybrid_search` is for `rrf`",
        ),
        ({"explian": True}, "`explian`"),
    ],
)
def test_a_wrong_search_names_the_field(fields: dict[str, Any], words: str) -> None:
    assert words in refused_search(**fields)


# attributes, metadata, stores


def test_attributes_keep_their_types() -> None:
    given = {"year": 2026, "price": 1.0, "draft": False, "team": "support", "": "empty"}
    attributes = read(FileToAttach, file_id="file-1", attributes=given).attributes
    assert [(key, type(value)) for key, value in attributes.items()] == [(key, type(one)) for key, one in given.items()]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({str(number): 1 for number in range(17)}, "17 entries, 16 are allowed"),
        ({"k" * 65: 1}, "64 characters"),
        ({"a": "x" * 513}, "`attributes.a`: has more than 512 characters"),
        ({"a": None}, "`attributes.a`: must be a text, a number or a boolean"),
        ({"a": ["x"]}, "`attributes.a`: must be a text, a number or a boolean"),
        ({"a": float("nan")}, "`attributes.a`: must be a finite number"),
    ],
)
def test_wrong_attributes_name_the_entry(attributes: dict[str, Any], words: str) -> None:
    for model in (AttachFileRequest, UpdateAttributesRequest):
        assert words in refusal(model, **STORE, file_id="file-1", attributes=attributes)


def test_an_update_tells_null_from_what_is_left_out() -> None:
    assert read(UpdateVectorStoreRequest, **STORE, metadata=None).model_fields_set == {"vector_store_id", "metadata"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metadata": {"a": 1}}, "`metadata.a`"),
        ({"expires_after": {"anchor": "created_at", "days": 1}}, "`expires_after.anchor`"),
        ({"expires_after": {"anchor": "last_active_at", "days": 366}}, "`expires_after.days`"),
        ({"embedding_dimension": 0}, "`embedding_dimension`"),
        ({"file_ids": ["file-1"] * 501}, "`file_ids`"),
        (
            {"chunking_strategy": {"type": "smart"}},
            "`chunking_strategy.type`: expected `auto`, `static` or `contextual`, got ",
        ),
        (
            {"chunking_strategy": {}},
            "`chunking_strategy.type`: is missing (expected `auto`, `static` or `contextual`)",
        ),
        (
            {"chunking_strategy": "auto"},
            "`chunking_strategy`: expected an object, got ",
        ),
        ({"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 99}}}, "max_chunk_size_tokens"),
        ({"chunking_strategy": {"type": "contextual", "contextual": {"chunk_overlap_tokens": 700}}}, "less than"),
        (
            {
                "chunking_strategy": {
                    "type": "contextual",
                    "contextual": {"context_prompt": "{{CHUNK_CONTENT}} in {{WHOLE_DOCUMENT}}"},
                }
            },
            "must have {{WHOLE_DOCUMENT}} and after it {{CHUNK_CONTENT}}",
        ),
    ],
)
def test_a_wrong_store_names_the_field(fields: dict[str, Any], words: str) -> None:
    assert words in refusal(CreateVectorStoreRequest, **fields)


def test_contextual_chunks_are_of_vector_stores_alone() -> None:
    strategy = {"type": "contextual", "contextual": {"context_prompt": "{{WHOLE_DOCUMENT}} has {{CHUNK_CONTENT}}"}}
    sizes = read(CreateVectorStoreRequest, chunking_strategy=strategy).chunking_strategy.contextual
    assert (sizes.max_chunk_size_tokens, sizes.chunk_overlap_tokens) == (700, 400)
    assert "`chunking_strategy.type`" in refusal(ProcessFileRequest, file_id="file-1", chunking_strategy=strategy)


# batches


def test_a_batch_names_files_in_one_of_two_ways() -> None:
    alike = read(CreateFileBatchRequest, **STORE, file_ids=["a", "b"], attributes={"year": 1}).to_attach()
    assert [(one.file_id, one.attributes) for one in alike] == [("a", {"year": 1}), ("b", {"year": 1})]
    files = [{"file_id": "a", "attributes": {"year": 2}}, {"file_id": "b"}]
    each = read(CreateFileBatchRequest, **STORE, files=files, attributes={"year": 1}).to_attach()
    assert [(one.file_id, one.attributes) for one in each] == [("a", {"year": 2}), ("b", None)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "`file_ids`: exactly one of `file_ids` and `files`"),
        ({"file_ids": ["a"], "files": [{"file_id": "b"}]}, "`files`: exactly one of `file_ids` and `files`"),
        ({"file_ids": []}, "`file_ids`"),
        ({"file_ids": ["a", "b", "a"]}, "`file_ids[2]`: the file `a` is there twice"),
        (
            {"files": [{"file_id": "a"}, {"file_id": "a", "attributes": {"x": 1}}]},
            "`files[1].file_id`: the file `a` is",
        ),
        ({"file_ids": [str(number) for number in range(2001)]}, "`file_ids`"),
    ],
)
def test_a_wrong_batch_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in refusal(CreateFileBatchRequest, **STORE, **fields)


# chunks and older names


@pytest.mark.parametrize("field", ["vector_store_id", "vector_db_id"])
def test_a_store_has_its_older_name_too(field: str) -> None:
    inserted = read(InsertChunksRequest, **{field: "vs_1"}, chunks=[{"content": "x", "stored_chunk_id": "c"}])
    assert (inserted.vector_store_id, inserted.chunks[0].chunk_id) == ("vs_1", "c")
    assert read(QueryChunksRequest, **{field: "vs_1"}, query="x", params={"k": 7}).params.max_chunks == 7
    assert read(InsertDocumentsRequest, **{field: "vs_1"}, documents=[]).vector_db_id == "vs_1"
    assert read(QueryDocumentsRequest, **{f"{field}s": ["vs_1"]}, content="x").vector_db_ids == ["vs_1"]


def test_a_request_without_a_store_names_the_field() -> None:
    assert "`vector_store_id`: is missing" in refusal(InsertChunksRequest, chunks=[])
    assert "`vector_db_ids`: is missing" in refusal(QueryDocumentsRequest, content="x")


def test_a_ranker_has_a_name_or_settings() -> None:
    rankers = ["rrf", {"type": "weighted", "alpha": 0.7}]
    for ranker in rankers:
        params = read(QueryChunksRequest, **STORE, query="x", params={"ranker": ranker, "mode": "hybrid"}).params
        assert params.model_dump(exclude_unset=True)["ranker"] == ranker


def test_the_dimension_of_an_embedding_is_that_of_its_numbers() -> None:
    assert read(ChunkToInsert, content="x", embedding=[0.5, 1], embedding_dimension=2).embedding == [0.5, 1]
    assert read(ChunkToInsert, content="x", embedding_dimension=384).embedding is None
    wrong = refusal(ChunkToInsert, content="x", embedding=[0.5, 1], embedding_dimension=3)
    assert "embedding_dimension is 3, and the embedding has 2 numbers" in wrong
    assert "`embedding[1]`" in refusal(ChunkToInsert, content="x", embedding=[0.5, float("nan")])


IMAGE = {"type": "image", "image": {"url": {"uri": "https://example.com/a.png"}}}


@pytest.mark.parametrize(
    ("query", "words"),
    [(" ", "only a text can be searched for"), (IMAGE, "only a text"), ([], "only a text"), ("x" * 32_769, "32768")],
)
def test_what_is_looked_for_is_a_text(query: Any, words: str) -> None:
    assert words in refusal(QueryChunksRequest, **STORE, query=query)


def test_the_text_of_a_content_is_that_of_its_parts() -> None:
    parts = [ChunkText(text="one"), ChunkImage.model_validate(IMAGE), ChunkText(text="two")]
    assert text_of(parts) == "one\ntwo"
    assert text_of(parts[0]) == text_of("one") == "one"
    assert text_of(parts[1]) == ""


def test_a_chunk_template_has_its_places() -> None:
    config = {"chunk_template": "{index}: {chunk.content}"}
    assert read(QueryDocumentsRequest, content="x", vector_db_ids=["a"], query_config=config)
    wrong = refusal(QueryDocumentsRequest, content="x", vector_db_ids=["a"], query_config={"chunk_template": "{index}"})
    assert "must have `{chunk.content}` in it" in wrong


def test_an_openai_route_is_there_under_its_older_path_too() -> None:
    routes = {operation.name: operation.route for operation in API.operations()}
    for name, route in routes.items():
        older = [alias.path for alias in route.aliases]
        is_openai_s = route.path.startswith("/v1/vector_stores") and name != "reindex_store"
        assert older == ([route.path.replace("/v1/", "/v1/openai/v1/", 1)] if is_openai_s else [])
    assert len(routes) == 25
