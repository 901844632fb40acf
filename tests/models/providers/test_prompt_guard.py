"""`inline::prompt-guard` with tiny random models of Prompt Guard's architecture: which label counts, windows of a long
text, and what is said where there are no weights.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import transformers

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.errors import Unavailable
from runtime.providers.safety.prompt_guard import classifier
from runtime.providers.safety.prompt_guard.classifier import AT_ONCE, Classifier, Stopped
from tests.support.tiny_prompt_guard import V1, V2, WINDOW, write_prompt_guard

SHORT = "w1 w2 w3"


@asynccontextmanager
async def guarded(folder: Path, *, shields: Any = ({"shield_id": "guard"},), **config: Any) -> AsyncIterator[Client]:
    provider = {"provider_id": "guard", "provider_type": "inline::prompt-guard", "config": config}
    resources = {"shields": list(shields)}
    run = run_config(providers={"safety": [provider]}, registered_resources=resources)
    async with serving(run, folder / "state", models_dir=folder / "models") as served:
        yield served.client


async def assessed(client: Client, text: str, **params: Any) -> dict[str, Any]:
    body = {
        "shield_id": "guard",
        "messages": [{"role": "user", "content": text}],
        "params": {"threshold": 1e-9} | params,
    }
    answer = await client.post("/v1/safety/run-shield", json=body)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()["violation"]
    return found


def windows_of(text: str) -> Iterator[str]:
    """As the classifier cuts it: each window begins where three quarters of the last one end."""
    words, most = text.split(), WINDOW - 2
    step = most - WINDOW // 4
    for begin in range(0, max(len(words) - WINDOW // 4, 1), step):
        yield " ".join(words[begin : begin + most])


def probabilities(folder: Path, text: str) -> Mapping[str, float]:
    """Of one window, as transformers' own pipeline has them."""
    model: Any = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    ask = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None, device="cpu")
    return {one["label"]: one["score"] for one in ask([text])[0]}


async def test_the_first_version_tells_injections_from_jailbreaks(tmp_path: Path) -> None:
    folder = write_prompt_guard(tmp_path / "model", V1)
    expected = probabilities(folder, SHORT)
    async with guarded(tmp_path, model=str(folder)) as client:
        found = await assessed(client, SHORT)
        assert found["metadata"]["categories"] == ["injection"]
        assert found["metadata"]["violation_type"] == "prompt_injection"
        assert found["metadata"]["labels"] == pytest.approx({name.lower(): value for name, value in expected.items()})
        for guard_type, counted in (("injection", V1[1:]), ("jailbreak", V1[2:])):
            score = sum(expected[name] for name in counted)
            for threshold, is_found in ((score * 0.999, True), (min(1.0, score * 1.001), False)):
                said = await assessed(client, SHORT, guard_type=guard_type, threshold=threshold)
                assert (said is not None) == is_found, (guard_type, score, threshold)


async def test_the_second_version_has_one_label_for_both(tmp_path: Path) -> None:
    folder = write_prompt_guard(tmp_path / "model", V2)
    expected = probabilities(folder, SHORT)["LABEL_1"]
    async with guarded(tmp_path, model=str(folder), guard_type="jailbreak", threshold=1e-9) as client:
        answer = await client.post("/v1/moderations", json={"input": SHORT})
        [result] = answer.json()["results"]
        assert result["category_scores"]["jailbreak"] == pytest.approx(expected)
        assert result["categories"]["jailbreak"] and "injection" not in result["categories"]
        assert result["user_message"] == "Sorry, I cannot do this."


async def test_a_long_text_is_as_bad_as_its_worst_window(tmp_path: Path) -> None:
    folder = write_prompt_guard(tmp_path / "model", V1)
    text = " ".join(f"w{(number * number) % 59}" for number in range((AT_ONCE + 3) * WINDOW))
    each = [probabilities(folder, window) for window in windows_of(text)]
    worst = max(each, key=lambda said: said["JAILBREAK"])
    async with guarded(tmp_path, model=str(folder)) as client:
        found = await assessed(client, text, guard_type="jailbreak")
        assert found["metadata"]["windows"] == len(each) > AT_ONCE
        assert found["metadata"]["labels"]["jailbreak"] == pytest.approx(worst["JAILBREAK"], rel=1e-4)
        assert len({round(said["JAILBREAK"], 4) for said in each}) > 1


def test_nothing_is_computed_for_one_who_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = Classifier.load("tiny", write_prompt_guard(tmp_path / "model"), "cpu")
    monkeypatch.setattr(classifier, "AT_ONCE", 1)
    stop, computed, softmax = threading.Event(), [], torch.softmax

    def then_stop(*arguments: Any, **named: Any) -> torch.Tensor:
        computed.append(stop.set())
        return softmax(*arguments, **named)

    monkeypatch.setattr(torch, "softmax", then_stop)
    with pytest.raises(Stopped):
        loaded.probabilities("w1 " * WINDOW * 4, stop)
    assert len(computed) == 1


async def test_a_shield_names_a_model_that_was_downloaded(tmp_path: Path) -> None:
    models = tmp_path / "models"
    named = {"shield_id": "guard", "provider_shield_id": "meta-llama/Prompt-Guard-86M"}
    async with guarded(tmp_path, shields=[named]) as client:
        body = {"shield_id": "guard", "messages": [{"role": "user", "content": SHORT}], "params": {}}
        answer = await client.post("/v1/safety/run-shield", json=body)
        assert (answer.status, answer.error["code"]) == (503, "weights_not_found")
        assert "`llama model download Prompt-Guard-86M`" in answer.body.decode()
        elsewhere = write_prompt_guard(tmp_path / "elsewhere")
        for name in ("Llama-Prompt-Guard-2-22M", str(elsewhere), "no-such"):
            refused = await client.post("/v1/shields", json={"shield_id": "other", "provider_shield_id": name})
            assert (refused.status, refused.error["param"]) == (400, "provider_shield_id"), refused.body
        write_prompt_guard(models / "Prompt-Guard-86M")
        answers = await asyncio.gather(*(client.post("/v1/safety/run-shield", json=body) for _ in range(4)))
        assert [answer.status for answer in answers] == [200] * 4
        assert (await client.post("/v1/shields", json={"shield_id": "Prompt-Guard-86M"})).status == 200


@pytest.mark.parametrize("labels", [("NEGATIVE", "POSITIVE"), ("BENIGN",)])
def test_a_model_of_another_kind_is_refused(tmp_path: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(Unavailable, match="its labels are"):
        Classifier.load("other", write_prompt_guard(tmp_path / "model", labels), "cpu")


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    folder = write_prompt_guard(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(Unavailable) as raised:
        Classifier.load("mine", folder, "cpu")
    assert "`mine`" in raised.value.message and str(folder) in (raised.value.hint or "")
