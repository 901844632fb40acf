"""`llama stack traces`, `explain` and `top` at a server that keeps traces, and at one that does not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.light_stack import KEY, vendor
from tests.support.schemas import conform
from tests.support.screen import CTRL_C, Screen
from tests.support.stack_home import TREE, Home, Stack, reserved_port
from tests.support.stacks import openai_at
from tests.support.upstreams import Vendor

__all__ = ["vendor"]

pytestmark = pytest.mark.e2e
MODEL = "vendor/vendor-model"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass(frozen=True, kw_only=True)
class Traced(Stack):
    """A server of a run config, which answers at `url`. home: where its address is what commands ask."""

    home: Home


@contextmanager
def serving(folder: Path, vendor: Vendor, **telemetry: Any) -> Iterator[Traced]:
    """A server with that vendor, until the block ends. telemetry: its providers of that."""
    inference = [openai_at(vendor.url), openai_at(vendor.url, "spare")]
    run = {"version": 2, "distro_name": "traced", "providers": {"inference": inference, **telemetry}}
    (folder / "run.yaml").write_text(json.dumps(run).replace("sk-configured-secret", KEY))
    places = [str(folder / "run.yaml"), "--state", str(folder / "state"), "--record-file", str(folder / "record.json")]
    with reserved_port() as port, (folder / "log").open("w") as log:
        home = Home(folder / "home")
        url = home.environment["LLAMA_STACK_URL"] = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "runtime.server", *places, "--port", str(port)]
        server = subprocess.Popen(command, env=home.environment, cwd=TREE, stdin=subprocess.DEVNULL, stderr=log)
        try:
            assert home("stack", "wait", "--for", "settled", "--timeout", "60s").code == 0, (folder / "log").read_text()
            yield Traced(url=url, home=home)
        finally:
            server.terminate()
            server.wait(60)


@pytest.fixture(scope="module")
def traced(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """It has answered `fine-1`, the same as a part of TRACE, and failed at `failed-1`."""
    telemetry = [{"provider_id": "builtin", "provider_type": "inline::builtin"}]
    with serving(tmp_path_factory.mktemp("traced"), vendor, telemetry=telemetry) as server:
        asked(server, "fine-1")
        vendor.status = 429
        asked(server, "failed-1", status=429)
        vendor.status = None
        asked(server, "in-a-trace-1", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
        yield server


def asked(server: Traced, request_id: str, *, status: int = 200, **headers: str) -> None:
    server.chat(MODEL, status=status, headers={"x-request-id": request_id, **headers})


def document(server: Traced, schema: str, *arguments: str) -> Any:
    """What a command prints with `--json`. schema: its name, and so the command's."""
    result = server.home(*schema.split("-"), *arguments, "--json")
    assert result.code == 0, result.out
    found = json.loads(result.out)
    conform(found, schema)
    return found


def test_requests_are_listed_and_shown(traced: Traced) -> None:
    rows = {row["request_id"]: row for row in document(traced, "stack-traces-show")}
    fine, failed = rows["fine-1"], rows["failed-1"]
    assert [id for id in rows if "-" in id] == ["fine-1", "failed-1", "in-a-trace-1"], "the newest at the end"
    assert (fine["status"], fine["model"], fine["error"]) == (200, "vendor-model", None)
    assert (fine["input_tokens"], fine["output_tokens"], fine["span_count"]) == (1, 1, 3)
    assert failed["status"] == 429 and "overloaded" in failed["error"]
    one = document(traced, "stack-traces-show", "fine-1")
    assert one["request_ids"] == ["fine-1"]
    assert [(span["depth"], span["name"]) for span in one["spans"]] == [
        (0, "POST /v1/chat/completions"), (1, "chat vendor-model"), (2, "POST")
    ]  # fmt: skip
    assert document(traced, "stack-traces-show", TRACE[:8])["request_ids"] == ["in-a-trace-1"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("--errors",), ["failed-1"]),
        (("-n", "1"), ["in-a-trace-1"]),
        (("--model", MODEL), ["fine-1", "failed-1", "in-a-trace-1"]),
        (("-m", "vendor-model", "--since", "1h", "--tail", "2"), ["failed-1", "in-a-trace-1"]),
        (("-m", "another"), []),
        (("--since", "1ms"), []),
        (("-n", "0"), []),
    ],
)
def test_those_that_are_wanted(traced: Traced, wanted: tuple[str, ...], found: list[str]) -> None:
    result = traced.home("stack", "traces", "-q", *wanted)
    assert (result.code, result.out.split()) == (0, found), result.err


def test_rows_in_a_pipe_are_whole(traced: Traced) -> None:
    [row] = traced.home("stack", "traces", "--errors").out.splitlines()
    began, name, status, took, model, tokens, cost, id, error = row.split("\t")
    assert (name, status, model, id) == ("POST /v1/chat/completions", "429", "vendor-model", "failed-1")
    assert tokens == cost == ""
    assert error.startswith("`vendor` answered 429: overloaded") and began[:2] == "20" and took[-1] == "s"
    spans = [line.split("\t") for line in traced.home("stack", "traces", "show", "failed-1").out.splitlines()]
    assert [(depth, status) for depth, _, _, _, status, _ in spans] == [
        ("0", "ok"), ("1", "error"), *[("2", "error")] * 3
    ]  # fmt: skip


def test_requests_are_followed(traced: Traced) -> None:
    process = traced.home.start("stack", "traces", "-f", "--json", "--tail", "1")
    assert process.stdout is not None
    last = json.loads(process.stdout.readline())
    asked(traced, "followed-1")
    asked(traced, "followed-2")
    rows = [last, *(json.loads(process.stdout.readline()) for _ in range(2))]
    for row in rows:
        conform(row, "stack-traces-show")
    assert [row["request_id"] for row in rows[1:]] == ["followed-1", "followed-2"]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")


def test_what_sql_finds(traced: Traced) -> None:
    sql = "SELECT DISTINCT provider_id, model FROM spans WHERE model IS NOT NULL"
    found = document(traced, "stack-traces-sql", sql)
    assert found == {"columns": ["provider_id", "model"], "rows": [["vendor", "vendor-model"]], "has_more": False}
    assert traced.home("stack", "traces", "sql", sql).out == "vendor\tvendor-model\n"
    limited = traced.home("stack", "traces", "sql", "SELECT name FROM spans", "--limit", "2")
    assert (len(limited.out.splitlines()), limited.err) == (2, "there are more than 2 rows\n")
    wrong = traced.home("stack", "traces", "sql", "DROP TABLE traces")
    assert wrong.code == 1 and "a query is one SELECT" in wrong.err


def test_a_request_is_explained(traced: Traced, vendor: Vendor) -> None:
    found = document(traced, "stack-explain", "failed-1")
    [call] = found["calls"]
    assert (call["provider_id"], call["asked_model"], call["failed"]) == ("vendor", "vendor-model", True)
    assert [attempt["status"] for attempt in call["attempts"]] == [429] * 3
    said = traced.home("stack", "explain", "failed-1").out
    assert said.splitlines() == found["text"]
    assert f"with its model `vendor-model`, asked for as `{MODEL}`, and failed after" in said and "overloaded" in said
    assert f"3 requests went to `127.0.0.1:{vendor.port}`: status 429 after" in said
    assert call["others"] == [{"id": "spare/vendor-model", "provider": "spare", "state": "ok", "message": None}]
    fine = traced.home("stack", "explain", "fine").out
    assert f"The name `{MODEL}` is of this provider alone. As of now, `spare` has it too" in fine
    assert "was answered with status 200" in fine and "1 token in, 1 out, ended with `stop`." in fine
    unknown = traced.home("stack", "explain", "none-such")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no request and no trace that is kept begins with `none-such`" in unknown.err


def test_what_goes_on_is_watched(traced: Traced) -> None:
    asked(traced, "watched-1")
    lines = traced.home("stack", "top", "--count", "2", "--interval", "200ms").out.splitlines()
    assert len(lines) == 2
    for line in lines:
        conform(now := json.loads(line), "stack-top")
        [model] = now["models"]
        assert (model["model"], model["provider_id"]) == ("vendor-model", "vendor")
        assert now["requests"] >= model["requests"] >= 1 and now["p50_ms"] <= now["p95_ms"]


def test_what_was_asked_of_a_model_with_a_price_says_what_it_cost(traced: Traced) -> None:
    price = {"input": 0.5, "output": 1.5, "source": "a contract"}
    named = {"model_id": "priced", "provider_id": "vendor", "provider_model_id": "vendor-model"}
    traced.post("/v1/models", {**named, "metadata": {"price": price}})
    traced.chat("priced", headers={"x-request-id": "priced-1"})
    rows = {row["request_id"]: row["cost_usd"] for row in document(traced, "stack-traces-show")}
    assert (rows["priced-1"], rows["fine-1"]) == (0.000002, None)
    [row] = [line for line in traced.home("stack", "traces").out.splitlines() if "priced-1" in line]
    assert "\t1 in, 1 out\t$0.000002\tpriced-1\t" in row
    assert document(traced, "stack-traces-show", "priced-1")["cost_usd"] == 0.000002
    assert "; cost $0.000002; " in traced.home("stack", "traces", "priced-1").out
    with screen(traced, "stack", "traces", "priced-1") as shown:
        assert shown.wait_until_it_ends() == 0
        assert shown.lines[1].endswith(", cost $0.000002")
    with screen(traced, "stack", "traces", columns=120) as shown:
        assert shown.wait_until_it_ends() == 0
        assert any(" Cost " in line for line in shown.lines) and any(" $0.000002 " in line for line in shown.lines)
    [call] = (told := document(traced, "stack-explain", "priced-1"))["calls"]
    assert told["cost_usd"] == call["cost_usd"] == 0.000002
    assert (
        "It cost $0.000002: 1 token read at $0.50 and 1 written at $1.50 a million; the price is that of a contract."
        in (told["text"][1])
    )
    assert "What it cost is not known: no price is known of the model `vendor-model`." in (
        traced.home("stack", "explain", "fine-1").out
    )
    now = json.loads(traced.home("stack", "top", "--count", "1").out)
    conform(now, "stack-top")
    assert now["cost_usd"] == now["models"][0]["cost_usd"] == 0.000002
    found = document(traced, "stack-traces-sql", "SELECT sum(cost_usd) FROM spans")
    assert found["rows"] == [[0.000002]]


def screen(server: Traced, *arguments: str, columns: int = 80) -> Screen:
    return Screen([*server.home.llama, *arguments], server.home.environment | {"NO_COLOR": "1"}, columns=columns)


def test_a_waterfall_on_a_terminal(traced: Traced) -> None:
    with screen(traced, "stack", "traces", "failed-1") as shown:
        assert shown.wait_until_it_ends() == 0
        lines = shown.lines
        assert shown.cut() == []
    assert lines[0] == "POST /v1/chat/completions"
    bars = [line for line in lines if "█" in line or "▏" in line]
    assert len(bars) == 5 and all(line.endswith("s") for line in bars)
    assert sum("status 429" in line for line in lines) == 4


def test_a_table_and_figures_on_a_terminal(traced: Traced) -> None:
    with screen(traced, "stack", "traces", "--errors") as shown:
        assert shown.wait_until_it_ends() == 0
        assert any("429" in line and "failed-1" in line and "`vendor`" in line for line in shown.lines)
        assert max(map(len, shown.lines)) <= 80
    with screen(traced, "stack", "top", "--interval", "100ms") as shown:
        shown.wait_for(r"requests/s")
        asked(traced, "watched-2")
        shown.wait_for(r"^ vendor-model +vendor ")
        assert sum("the last minute" in line for line in shown.lines) == 1, "it is drawn in one place"
        shown.type(CTRL_C)
        assert shown.wait_until_it_ends() == 130


def test_where_no_traces_are_kept(vendor: Vendor, tmp_path: Path) -> None:
    with serving(tmp_path, vendor) as server:
        for command in (["traces"], ["traces", "req_1"], ["traces", "-f"], ["explain", "req_1"], ["top"]):
            refused = server.home("stack", *command)
            assert (refused.code, refused.out) == (1, "")
            assert "keeps no traces: it has no provider of `telemetry`\n\nhint: add to `providers:` of" in refused.err


def test_a_request_that_no_provider_was_asked_for_says_why(traced: Traced) -> None:
    traced.chat("vendor-model", status=400, headers={"x-request-id": "refused-1"})
    found = document(traced, "stack-explain", "refused-1")
    assert (found["calls"], found["error"]["code"]) == ([], "model_ambiguous")
    said = traced.home("stack", "explain", "refused-1")
    assert "It was refused: Model `vendor-model` is served by several providers." in said.out
    assert "hint: ask for one of `spare/vendor-model`, `vendor/vendor-model`" in said.err
    [row] = [row for row in document(traced, "stack-traces-show") if row["request_id"] == "refused-1"]
    assert row["error"] == "Model `vendor-model` is served by several providers"
