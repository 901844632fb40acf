"""How run configs say which models are served, which are loaded, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.errors import RequestError, Unavailable
from runtime.providers.inference._extra_fields import checked_keep_alive
from runtime.providers.inference._served_models import served_models
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig
from runtime.providers.inference.meta_reference.served import language_models
from runtime.providers.inference.sentence_transformers.config import SentenceTransformersConfig


def test_a_model_s_own_settings_count_before_the_provider_s() -> None:
    config = MetaReferenceConfig.model_validate(
        {
            "models": [
                "one",
                {"model": "two", "checkpoint_dir": "/x", "max_seq_len": 9, "keep_alive": -1, "pinned": True},
            ],
            "max_seq_len": 100,
            "keep_alive": "10m",
        }
    )
    one, two = config.entries()
    assert (one.model, one.max_seq_len, one.keep_alive_s, one.preload, one.pinned) == ("one", 100, 600, True, False)
    assert (two.checkpoint_dir, two.max_seq_len, two.keep_alive_s, two.preload) == ("/x", 9, float("inf"), True)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["SmolLM2-135M-Instruct"]),
        ({"model": "a"}, ["a"]),
        ({"models": ["b", "c"]}, ["b", "c"]),
        ({"model": "a", "models": ["b"]}, ["a", "b"]),
        ({"preload": False, "models": ["b"]}, ["b"]),
    ],
)
def test_what_is_served(given: dict[str, Any], names: list[str]) -> None:
    entries = MetaReferenceConfig.model_validate(given).entries()
    assert [entry.model for entry in entries] == names
    assert entries[0].preload is given.get("preload", True)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (0, 0.0),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        (-1, -1.0),
        ("-1", -1.0),
        ("-5m", -1.0),
        (2.5, 2.5),
        pytest.param(10**400, -1.0, id="huge"),
    ],
)
def test_how_long_a_model_stays_is_written_in_several_ways(given: Any, seconds: float) -> None:
    assert MetaReferenceConfig(keep_alive=given).keep_alive == seconds


@pytest.mark.parametrize("given", ["soon", True, None, [], "", float("nan")])
def test_what_is_no_duration_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="keep_alive"):
        MetaReferenceConfig(keep_alive=given)


@pytest.mark.parametrize("given", ["1" * 1_000_000 + "x", ["1" * 1_000_000], "soon"], ids=["digits", "list", "word"])
def test_a_request_s_keep_alive_is_refused_in_few_words_however_long_it_is(given: Any) -> None:
    with pytest.raises(RequestError, match=r"90s|10m") as refused:
        checked_keep_alive(given)
    assert refused.value.param == "keep_alive" and len(refused.value.message) < 200


def test_encoders_are_listed_in_the_same_way() -> None:
    given = {"models": ["a", {"model": "b", "threads": 2}], "threads": 1, "pinned": True}
    entries = SentenceTransformersConfig.model_validate(given).entries()
    assert [(one.model, one.threads, one.pinned, one.preload) for one in entries] == [
        ("a", 1, True, True),
        ("b", 2, True, True),
    ]
    assert [one.model for one in SentenceTransformersConfig().entries()] == ["all-MiniLM-L6-v2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folders are found by their names; what is in them is not looked at."""
    (tmp_path / "A").mkdir()
    (tmp_path / "other" / "A").mkdir(parents=True)
    return tmp_path


def test_two_models_of_one_name_are_refused(folder: Path) -> None:
    both = [str(folder / "A"), str(folder / "other" / "A")]
    with pytest.raises(Unavailable, match="Two models are called `A`"):
        served_models(language_models(None, None), MetaReferenceConfig.model_validate({"models": both}).entries())
    named = [both[0], {"model": "Other", "checkpoint_dir": both[1]}]
    entries = MetaReferenceConfig.model_validate({"models": named}).entries()
    assert list(served_models(language_models(None, None), entries)) == ["A", "Other"]


def test_a_model_that_is_named_twice_is_one_with_the_later_settings(folder: Path) -> None:
    given = {"model": str(folder / "A"), "models": ["nowhere", {"model": str(folder / "A"), "max_seq_len": 9}]}
    served = served_models(language_models(None, None), MetaReferenceConfig.model_validate(given).entries())
    assert list(served) == ["A", "nowhere"]
    assert (served["A"].entry.max_seq_len, served["A"].entry.preload) == (9, True)
