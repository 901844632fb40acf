"""The `storage` section: what is filled in, what is refused, and where a store is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.apis._api import Store
from runtime.storage.placement import KeyValueReference, StorageConfig, StoreReference, with_defaults

PROMPTS = Store(name="prompts")
REGISTRY = Store(name="metadata", part="registry")
ROWS = Store(name="conversations", families=("sql",))


def place(section: dict[str, Any], store: Store) -> tuple[str, str | None]:
    found = StorageConfig.model_validate(section).place_of(store)
    return found.backend, found.namespace


def test_an_empty_section_has_a_backend_of_each_family() -> None:
    config = StorageConfig.model_validate({})
    assert config.model_dump(exclude_none=True) == {
        "backends": {
            "kv_default": {"type": "kv_sqlite", "db_path": "kvstore.db"},
            "sql_default": {"type": "sql_sqlite", "db_path": "sql_store.db"},
        },
        "stores": {},
        "retention": {},
    }
    assert [config.place_of(store).backend for store in (PROMPTS, REGISTRY, ROWS)] == [
        *("kv_default", "kv_default", "sql_default")
    ]


def test_a_store_that_is_left_out_goes_to_the_first_backend_of_its_family() -> None:
    section = {"backends": {"mine": {"type": "kv_memory"}, "more": {"type": "kv_memory"}}}
    assert place(section, REGISTRY) == ("mine", "registry")
    assert place(section, PROMPTS) == ("mine", "prompts")
    assert place(section, ROWS) == ("sql_default", "conversations")
    assert list(StorageConfig.model_validate(section).backends) == ["mine", "more", "sql_default"]


def test_the_usual_name_goes_before_the_first() -> None:
    backends = {"a": {"type": "kv_memory"}, "kv_default": {"type": "kv_memory"}}
    assert place({"backends": backends}, REGISTRY) == ("kv_default", "registry")


def test_a_store_is_where_the_section_says() -> None:
    stores = {"prompts": {"backend": "a", "namespace": "p"}, "metadata": {"backend": "a"}}
    section = {"backends": {"a": {"type": "kv_memory"}}, "stores": stores}
    assert place(section, PROMPTS) == ("a", "p")
    assert place(section, REGISTRY) == ("a", "registry")


def test_null_is_as_good_as_left_out() -> None:
    assert StorageConfig.model_validate({"backends": None, "stores": {"metadata": None}}) == StorageConfig()


def test_stores_can_be_named_as_each_version_had_them_also_those_that_nobody_keeps_here() -> None:
    stores = {
        "prompts": {"backend": "sql_default", "table_name": "prompts"},
        "connectors": {"backend": "kv_default", "namespace": "connectors"},
        "inference": {"backend": "sql_default", "table_name": "t", "num_writers": 1, "max_write_queue_size": 5},
        "responses": {"backend": "sql_default", "table_name": "t", "enabled": False},
    }
    config = StorageConfig.model_validate({"stores": stores})
    assert config.model_dump(exclude_none=True)["stores"] == stores


@pytest.mark.parametrize(
    ("section", "location"),
    [
        ({"backends": {"a": {"type": "kv_tape"}}}, ("backends", "a")),
        ({"backends": {"a": {"type": "kv_sqlite", "path": "x"}}}, ("backends", "a", "kv_sqlite", "path")),
        ({"stores": {"metadata": {"namespace": "x"}}}, ("stores", "metadata", "backend")),
        ({"stores": {"metadata": {"backend": "x", "namespace": "a\x1fb"}}}, ("stores", "metadata", "namespace")),
        ({"stores": {"inference": {"backend": "x", "num_writers": 0}}}, ("stores", "inference", "num_writers")),
        ({"stores": ["metadata"]}, ("stores",)),
        ({"backends": {"kv_default": {"type": "sql_sqlite"}}}, ()),
    ],
)
def test_what_is_no_key_or_type_is_refused(section: object, location: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as raised:
        StorageConfig.model_validate(section)
    assert [error["loc"] for error in raised.value.errors()] == [location]


@pytest.mark.parametrize("reference", [{"backend": "a"}, {"backend": "a", "namespace": ""}, {"namespace": "a"}])
def test_a_reference_of_a_provider_names_a_backend_and_a_namespace(reference: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        KeyValueReference.model_validate(reference)


def test_queue_settings_are_shown_only_where_they_are_given() -> None:
    assert StoreReference(backend="a").model_dump(exclude_none=True) == {"backend": "a"}


def test_backends_of_our_own_process_need_no_packages() -> None:
    assert StorageConfig().packages() == ()


def test_a_family_without_a_backend_gets_one() -> None:
    assert with_defaults({"x": "kv_redis"}) == {"sql_default": "sql_sqlite", "x": "kv_redis"}
    assert with_defaults({"x": "tape"}) == {"kv_default": "kv_sqlite", "sql_default": "sql_sqlite", "x": "tape"}


def test_nothing_is_elsewhere_than_in_the_state_folder(tmp_path: Path) -> None:
    backends = {
        "memory": {"type": "kv_memory"},
        "here": {"type": "sql_sqlite", "db_path": "mine.db"},
        "above": {"type": "kv_sqlite", "db_path": "../kv.db", "namespace": "mine"},
        "server": {"type": "kv_redis", "host": "redis.example", "namespace": "theirs"},
        "tables": {"type": "sql_postgres", "host": "postgres.example", "user": "u", "password": "p", "db": "d"},
    }
    section = {"backends": backends, "analytics": {"db_path": str(tmp_path.parent / "a.duckdb"), "threads": 1}}
    config = StorageConfig.model_validate(section)
    within = config.within(tmp_path)
    assert within.model_dump(exclude_none=True, include={"backends", "analytics"}) == {
        "backends": {
            "memory": {"type": "kv_memory"},
            "here": {"type": "sql_sqlite", "db_path": "mine.db"},
            "above": {"type": "kv_sqlite", "db_path": "kv-3.db", "namespace": "mine"},
            "server": {"type": "kv_sqlite", "db_path": "kv-4.db", "namespace": "theirs"},
            "tables": {"type": "sql_sqlite", "db_path": "sql-5.db"},
        },
        "analytics": config.analytics.model_dump() | {"db_path": "analytics/analytics.duckdb"},  # type: ignore[union-attr]
    }
    assert within.packages() == ("duckdb>=1.4",) and "asyncpg>=0.30" in config.packages()
