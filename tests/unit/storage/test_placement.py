"""The `storage` section: what is filled in, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from runtime.storage.config import StorageConfig, backends_with_defaults, family_of


def test_an_empty_section_is_complete() -> None:
    config = StorageConfig.model_validate({})
    assert config.model_dump(exclude_none=True) == {
        "backends": {
            "kv_default": {"type": "kv_sqlite", "db_path": "kvstore.db"},
            "sql_default": {"type": "sql_sqlite", "db_path": "sql_store.db"},
        },
        "stores": {
            "metadata": {"backend": "kv_default", "namespace": "registry"},
            "inference": {
                "backend": "sql_default",
                "table_name": "inference_store",
                "enabled": True,
                "max_write_queue_size": 10000,
                "num_writers": 4,
            },
            "conversations": {"backend": "sql_default", "table_name": "conversations"},
            "responses": {
                "backend": "sql_default",
                "table_name": "responses",
                "enabled": True,
                "max_write_queue_size": 10000,
                "num_writers": 4,
            },
            "prompts": {"backend": "kv_default", "namespace": "prompts"},
            "connectors": {"backend": "kv_default", "namespace": "connectors"},
            "vector_stores": {"backend": "sql_default", "table_name": "vector_stores"},
        },
    }


def test_stores_that_are_left_out_go_to_the_first_backend_of_their_family() -> None:
    config = StorageConfig.model_validate({"backends": {"mine": {"type": "kv_memory"}}})
    assert config.stores.metadata is not None
    assert config.stores.conversations is not None
    assert (config.stores.metadata.backend, config.stores.conversations.backend) == ("mine", "sql_default")
    assert list(config.backends) == ["mine", "sql_default"]


def test_the_usual_name_goes_before_the_first() -> None:
    backends = {"a": {"type": "kv_memory"}, "kv_default": {"type": "kv_memory"}}
    config = StorageConfig.model_validate({"backends": backends})
    assert config.stores.metadata is not None
    assert config.stores.metadata.backend == "kv_default"


def test_null_is_as_good_as_left_out() -> None:
    assert StorageConfig.model_validate({"backends": None, "stores": {"metadata": None}}) == StorageConfig()


def test_stores_can_be_named_as_each_version_had_them() -> None:
    stores = {
        "prompts": {"backend": "sql_default", "table_name": "prompts"},
        "inference": {"backend": "sql_default", "table_name": "t", "num_writers": 1},
    }
    config = StorageConfig.model_validate({"stores": stores})
    assert config.stores.model_dump(include=set(stores), exclude_none=True) == {
        "prompts": {"backend": "sql_default", "table_name": "prompts"},
        "inference": {
            "backend": "sql_default",
            "table_name": "t",
            "num_writers": 1,
            "enabled": True,
            "max_write_queue_size": 10000,
        },
    }


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({"backends": {"a": {"type": "kv_tape"}}}, ("backends", "a")),
        ({"backends": {"a": {"type": "kv_sqlite", "path": "x"}}}, ("backends", "a", "kv_sqlite", "path")),
        ({"stores": {"metadata": {"namespace": "x"}}}, ("stores", "metadata", "backend")),
        ({"stores": {"cache": {"backend": "x"}}}, ("stores", "cache")),
    ],
)
def test_what_is_no_key_or_type_is_refused(section: object, place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as raised:
        StorageConfig.model_validate(section)
    assert [error["loc"] for error in raised.value.errors()] == [place]


def test_backends_of_our_own_process_need_no_packages() -> None:
    assert StorageConfig().all_packages() == ()


def test_families_are_told_by_the_type() -> None:
    assert (family_of("kv_redis"), family_of("sql_postgres")) == ("kv", "sql")
    assert backends_with_defaults({"x": "kv_redis"}) == {"sql_default": "sql_sqlite", "x": "kv_redis"}
