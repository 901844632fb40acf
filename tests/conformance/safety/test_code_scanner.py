"""`inline::code-scanner` with Bandit itself: what it finds, what it cannot read, and its limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from runtime.providers.safety.code_scanner import adapter


@asynccontextmanager
async def scanning(folder: Path, **config: Any) -> AsyncIterator[Client]:
    run = run_config(
        providers={"safety": [{"provider_id": "scanner", "provider_type": "inline::codeshield", "config": config}]},
        registered_resources={"shields": [{"shield_id": "code"}]},
    )
    async with serving(run, folder) as served:
        yield served.client


async def ask(client: Client, text: str, **params: Any) -> Answered:
    body = {"shield_id": "code", "messages": [{"role": "assistant", "content": text}], "params": params}
    return await client.post("/v1/safety/run-shield", json=body)


async def violation(client: Client, text: str, **params: Any) -> Any:
    answer = await ask(client, text, **params)
    assert answer.status == 200, answer.body
    return answer.json()["violation"]


async def test_findings_are_told_with_rule_line_and_finder(tmp_path: Path) -> None:
    async with scanning(tmp_path) as client:
        found = await violation(client, "Do this:\n\n```python\nx = 1\ny = eval(input())  # nosec\n```\nDone.")
        assert (found["violation_level"], found["user_message"]) == ("error", "The code has security problems.")
        assert found["metadata"]["categories"] == ["insecure-code"] and found["metadata"]["finder"] == "bandit"
        [finding] = found["metadata"]["findings"]
        assert (finding["rule"], finding["line"], finding["severity"]) == ("B307", 5, "medium")
        assert finding["cwe"] == 78


async def test_a_message_that_is_code_is_scanned_and_prose_is_not(tmp_path: Path) -> None:
    async with scanning(tmp_path) as client:
        assert await violation(client, "import os\nos.system(input())") is not None
        assert await violation(client, "I would not call os.system(input()), since it is dangerous.") is None
        assert await violation(client, "hello") is None


async def test_the_least_severity_is_the_provider_s_or_the_request_s(tmp_path: Path) -> None:
    low = "```python\nimport subprocess\n```"
    async with scanning(tmp_path, severity="high") as client:
        assert await violation(client, "```python\neval(input())\n```") is None
        assert await violation(client, low, severity="low") is not None
        wrong = await ask(client, low, severity="worst")
        assert (wrong.status, wrong.error["param"]) == (400, "params")


async def test_what_cannot_be_read_is_told_and_does_not_count_as_an_error(tmp_path: Path) -> None:
    whole = "```js\neval(x)\n```\n```json\n{}\n```\n```python\nprint(1)\n```\n```python\ndef f(:\n```\n"
    async with scanning(tmp_path / "flag") as client:
        found = await violation(client, whole)
        assert found["violation_level"] == "warn" and found["metadata"]["categories"] == ["unread-code"]
        assert found["metadata"]["unread"] == [{"language": "python", "line": 11}, {"language": "js", "line": 2}]
        both = await violation(client, f"{whole}```python\neval(input())\n```")
        assert both["violation_level"] == "error" and len(both["metadata"]["unread"]) == 2
    async with scanning(tmp_path / "pass", unread_code="pass") as client:
        assert await violation(client, whole) is None
        answer = await client.post("/v1/moderations", {"input": whole})
        [result] = answer.json()["results"]
        assert not result["flagged"] and len(result["metadata"]["unread"]) == 2


async def test_nothing_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    async with scanning(tmp_path) as client:
        await violation(client, f"```python\nopen({str(mark)!r}, 'w').write('x')\n```")
        assert not mark.exists()


@pytest.mark.parametrize(
    "code", ["x = " + "(" * 5000 + ")" * 5000, "x = " + "-" * 300_000 + "1", "a\0b", "x = '\\ud800'"]
)
async def test_hostile_code_never_passes_as_read(tmp_path: Path, code: str) -> None:
    async with scanning(tmp_path) as client:
        answer = await ask(client, f"```python\n{code}\n```\n")
        assert answer.status in (200, 400), answer.body
        if answer.status == 200 and "ud800" not in code:
            assert answer.json()["violation"]["metadata"]["categories"] == ["unread-code"]
        assert await violation(client, "```python\neval(input())\n```") is not None, "it goes on"


async def test_a_scan_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async with scanning(tmp_path, timeout_s=0.01) as client:
        answer = await ask(client, "```python\nx = 1\n```")
        assert answer.status == 400 and "longer than 0.01 s" in answer.error["message"]


async def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_MOST_BLOCKS", 2)
    async with scanning(tmp_path) as client:
        assert (await ask(client, "```py\nx\n```\n" * 2)).status == 200
        answer = await ask(client, "```py\nx\n```\n" * 3)
        assert answer.status == 413 and "3 blocks of code" in answer.error["message"]
        answer = await ask(client, "x" * (adapter._MOST_CHARS + 1))
        assert answer.status == 413 and "1000001 characters" in answer.error["message"]


async def test_without_bandit_nothing_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.providers.safety.code_scanner import bandit

    monkeypatch.setattr(bandit, "_START", bandit._START.replace('"bandit"', '"no_such_bandit"'))
    async with scanning(tmp_path) as client:
        answer = await ask(client, "```python\nx = 1\n```")
        assert answer.status == 503 and "no_such_bandit" in answer.error["message"]
