"""What the labels of both versions of Prompt Guard count as."""

from __future__ import annotations

import pytest

from runtime.providers.safety.prompt_guard.labels import Labels

V1 = {0: "BENIGN", 1: "INJECTION", 2: "JAILBREAK"}


def test_an_injection_may_be_a_jailbreak_and_not_the_other_way_round() -> None:
    labels = Labels.read(V1)
    said = [0.1, 0.6, 0.3]
    assert labels.score(said, "injection") == pytest.approx(0.9)
    assert labels.score(said, "jailbreak") == pytest.approx(0.3)
    assert labels.shown(said) == {"benign": 0.1, "injection": 0.6, "jailbreak": 0.3}


@pytest.mark.parametrize("given", [{0: "LABEL_0", 1: "LABEL_1"}, {0: "BENIGN", 1: "MALICIOUS"}])
def test_the_second_version_has_one_label_for_both(given: dict[int, str]) -> None:
    labels = Labels.read(given)
    assert labels.score([0.2, 0.8], "injection") == labels.score([0.2, 0.8], "jailbreak") == 0.8
    assert labels.shown([0.2, 0.8]) == {"benign": 0.2, "malicious": 0.8}


def test_labels_are_told_by_their_names_and_not_by_their_places() -> None:
    labels = Labels.read({0: "jailbreak", 1: "benign", 2: "injection"})
    assert labels.score([0.3, 0.1, 0.6], "jailbreak") == pytest.approx(0.3)
    assert labels.score([0.3, 0.1, 0.6], "injection") == pytest.approx(0.9)
    without_names = Labels.read({0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"})
    assert without_names == Labels.read(V1)


@pytest.mark.parametrize(
    "given",
    [
        {0: "NEGATIVE", 1: "POSITIVE"},
        {0: "LABEL_0"},
        {0: "BENIGN", 1: "JAILBREAK"},
        {n: f"LABEL_{n}" for n in range(4)},
    ],
)
def test_labels_of_another_model_are_refused(given: dict[int, str]) -> None:
    with pytest.raises(ValueError, match=given[0]):
        Labels.read(given)


def test_a_score_is_never_above_one() -> None:
    assert Labels.read(V1).score([0.0, 0.7, 0.30000001], "injection") == 1.0
