"""`inline::profanity-check` with the real weights: the scores of scikit-learn itself, and both doors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime import discovery
from runtime.catalog.weights import Shipped
from runtime.config import rendering, template
from runtime.config.loading import parse_run_config
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.providers.safety.profanity_check import adapter, classifier
from runtime.providers.safety.profanity_check.classifier import Classifier
from runtime.stack.plan import plan

PROVIDER = {"provider_id": "profanity-check", "provider_type": "inline::profanity-check"}
SCORES: dict[str, float] = json.loads((Path(__file__).parent / "profanity_scores.json").read_text(encoding="utf-8"))
"""What `profanity_check.predict_prob` of alt-profanity-check 1.9.1 says of each text, with scikit-learn 1.9.1."""
INSULT, GREETING = "You are an idiot", "Have a nice day"


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(run_config(providers={"safety": [PROVIDER]}), tmp_path) as served:
        yield served.client


def test_scores_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "TOGETHER", 1_000)
    known = Classifier.read(Shipped("profanity_check", "data").find("profanity"))
    assert {text: known.score(text) for text in SCORES} == pytest.approx(SCORES, abs=1e-12)


def test_a_model_that_works_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(classifier._AS_WE_DO, "ngram_range", (1, 2))
    with pytest.raises(ValueError, match="ngram_range differs"):
        Classifier.read(Shipped("profanity_check", "data").find("profanity"))


@pytest.mark.parametrize("name", template.template_names())
def test_the_default_shield_of_a_template_is_there(name: str) -> None:
    run = parse_run_config(rendering.render(name, specs=discovery.built_in().specs), env={"INFERENCE_MODEL": "m"})
    shields = [shield.shield_id for shield in plan(run).resources.get("shields", ())]
    default = run.safety.default_shield_id if run.safety else None
    assert default == template.load_template(name).default_shield
    assert default is None or default in shields


async def test_its_shield_is_there_without_being_told(client: Client) -> None:
    [shield] = (await client.get("/v1/shields")).json()["data"]
    assert (shield["identifier"], shield["provider_id"]) == ("profanity", "profanity-check")
    answer = await client.post("/v1/moderations", json={"input": [INSULT, GREETING]})
    insult, greeting = answer.json()["results"]
    assert (insult["flagged"], greeting["flagged"]) == (True, False)
    assert insult["categories"]["harassment"] and not insult["categories"]["violence"]
    assert insult["category_scores"]["harassment"] == pytest.approx(SCORES["you are an idiot"])
    assert insult["category_applied_input_types"]["harassment"] == ["text"]
    assert insult["category_applied_input_types"]["violence"] == []
    assert (insult["user_message"], greeting["user_message"]) == ("This reads as abusive or profane.", None)


async def test_run_shield_says_what_it_is(client: Client) -> None:
    async def run(text: str, **params: Any) -> Any:
        asked = {"shield_id": "profanity", "messages": [{"role": "user", "content": text}], "params": params}
        return await client.post("/v1/safety/run-shield", json=asked)

    assert (await run(INSULT)).json()["violation"] == {
        "violation_level": "error",
        "user_message": "This reads as abusive or profane.",
        "metadata": {"categories": ["harassment"], "violation_type": "profanity"},
    }
    assert (await run(GREETING)).json() == {"violation": None}
    assert (await run(GREETING, threshold=0.01)).json()["violation"] is not None
    wrong = await run(GREETING, threshold=2)
    assert (wrong.status, wrong.error["param"]) == (400, "params") and "`params.threshold`" in wrong.error["message"]


async def test_a_threshold_is_the_provider_s_or_the_shield_s(tmp_path: Path) -> None:
    severe = {**PROVIDER, "config": {"threshold": 0.9999}}
    async with serving(run_config(providers={"safety": [severe]}), tmp_path) as served:
        for registered in ({"threshold": 0.01}, {"treshold": 1}):
            shield = {"shield_id": f"mild-{'threshold' in registered}", "params": registered}
            answer = await served.client.post("/v1/shields", json=shield)
            assert answer.status == (200 if "threshold" in registered else 400), answer.body

        async def flagged(shield: str, text: str) -> bool:
            answer = await served.client.post("/v1/moderations", json={"input": text, "model": shield})
            return bool(answer.json()["results"][0]["flagged"])

        assert (await flagged("profanity", "What a stupid idea"), await flagged("profanity", INSULT)) == (False, True)
        assert await flagged("mild-True", GREETING)


async def test_what_it_cannot_look_at_is_refused(client: Client) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    answer = await client.post("/v1/moderations", json={"input": [{"type": "text", "text": "look"}, image]})
    assert (answer.status, answer.error["param"]) == (400, "input") and "`image_url`" in answer.error["message"]


async def test_a_long_text_is_looked_at_to_its_end(client: Client) -> None:
    text = f"{'The committee met on Tuesday and discussed the budget of the library. ' * 200}{INSULT}."
    assert (await client.post("/v1/moderations", json={"input": text})).json()["results"][0]["flagged"]


async def test_without_its_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_WEIGHTS", Shipped("profanity_check_is_not_here", "data"))
    async with serving(run_config(providers={"safety": [PROVIDER]}), tmp_path) as served:
        answer = await served.client.post("/v1/moderations", json={"input": GREETING})
        assert answer.status == 503 and "`profanity`" in answer.error["message"]
        assert "llama stack build" in answer.body.decode()
