"""`llama stack traces`, `explain` and `top` at a server that says what a test wants it to.

The real one is in tests/processes/cli/test_traces.py; here are the answers that it gives to few.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import HTTPServer
from typing import Any

import pytest
from rich.cells import cell_len

from tests.support.command_runner import Cli
from tests.support.small_server import SmallHandler, running, url_of
from tests.unit.cli.tracing._spans import BEGAN, TRACE, call, request

ASKED = ["provider_id", "model", "requests", "failed", "p50_ms", "p95_ms", "first_p50_ms"]
ASKED += ["input_tokens", "output_tokens", "cost_usd"]
NO_ROUTE = {"error": {"message": "`POST` is no route of this server", "type": "invalid_request_error"}}
NOT_NOW = {"error": {"message": "the server is stopping", "type": "unavailable_error"}}
REFUSED = {"error": {"message": "A query in SQL sees everybody's requests", "type": "permission_error"}}


def trace(id: str = TRACE, **facts: Any) -> dict[str, Any]:
    began = BEGAN.isoformat().replace("+00:00", "Z")
    usual = {"name": "GET /v1/models", "http_status": 200, "model": None, "message": None, "span_count": 1}
    counted = {"input_tokens": None, "output_tokens": None, "request_id": "req_1"}
    return {"trace_id": id, "start_time": began, "end_time": began, **usual, **counted, **facts}


class Handler(SmallHandler):
    """Answers with what lies under the last word of the path; of spans and traces, those that are asked for. With what
    lies under `anything`, whatever is asked. Each answer warns of what lies under `warning`.
    """

    answers: dict[str, Any]
    asked: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        what = self.path.rpartition("/")[2]
        self.asked.append((what, body))
        if "anything" in self.answers:
            self.document(self.answers["anything"])
            return
        status, answer = self.answers.get(what, (404, NO_ROUTE))
        if what in ("spans", "traces") and status == 200:
            conditions = body["attribute_filters"]
            answer = {"data": [one for one in answer if all(fits(one, each) for each in conditions)]}
        self.document(answer, status=status)

    def do_GET(self) -> None:
        status, answer = self.answers.get(self.path, (503, NOT_NOW))
        self.document(answer, status=status)

    def end_headers(self) -> None:
        if "warning" in self.answers:
            self.send_header("x-llama-warnings", self.answers["warning"])
        super().end_headers()


def fits(one: dict[str, Any], condition: dict[str, Any]) -> bool:
    key, value = condition["key"], condition["value"]
    own = key if key.startswith("gen_ai.") else "llama_stack.request.id"
    said = one["trace_id"] if key == "trace_id" else one.get("attributes", {}).get(own, "")
    return bool(said == value if condition["op"] == "eq" else said.startswith(value))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[dict[str, Any]]:
    Handler.answers, Handler.asked = {}, []
    with running(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        monkeypatch.setenv("LLAMA_STACK_URL", url_of(server))
        yield Handler.answers


def two_requests(answers: dict[str, Any]) -> None:
    spans = [request("one", request_id="req_10"), request("two", request_id="req_20"), call("chat", "two")]
    answers["spans"] = 200, spans
    answers["traces"] = 200, [trace()]


@pytest.mark.parametrize("command", [["traces"], ["traces", "req_1"], ["explain", "req_1"], ["top"], ["traces", "-f"]])
def test_a_server_that_keeps_none_says_what_to_add(command: list[str], answers: dict[str, Any], cli: Cli) -> None:
    result = cli("stack", *command)
    assert (result.code, result.out) == (1, "")
    assert (
        "keeps no traces: it has no provider of `telemetry`\n\nhint: add to `providers:` of its run.yaml:" in result.err
    )
    assert "`telemetry: [{provider_id: builtin, provider_type: inline::builtin}]`" in result.err
    error = cli("stack", *command, "--json").json()["error"]
    assert (error["code"], "telemetry" in error["hint"]) == (1, True)


def test_another_kind_of_server_is_told_as_such(answers: dict[str, Any], cli: Cli) -> None:
    answers["traces"] = 404, {}
    result = cli("stack", "traces")
    assert result.code == 1 and "is it a server of Llama Stack?" in result.err


@pytest.mark.parametrize("answer", [{}, [], "ok", 7, {"data": None}, {"data": ["x"]}, {"data": [{"trace_id": "1"}]}])
@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (["traces"], "list of traces"),
        (["traces", "-f"], "list of traces"),
        (["traces", "ab"], "list of traces"),
        (["traces", "req_1"], "list of spans"),
        (["explain", "req_1"], "list of spans"),
        (["traces", "sql", "SELECT 1"], "answer to a query"),
        (["top"], "answer to a query"),
    ],
)
def test_a_server_that_answers_with_something_else(
    command: list[str], wanted: str, answer: Any, answers: dict[str, Any], cli: Cli
) -> None:
    answers["anything"] = answer
    result = cli("stack", *command)
    assert (result.code, result.out) == (6, "")
    assert f"answered with something of type application/json that is no {wanted}: `{json.dumps(answer)}`" in result.err


@pytest.mark.parametrize("rows", [[], [[1]], [["p", "m"]]])
def test_figures_that_are_others_than_were_asked_for(rows: list[Any], answers: dict[str, Any], cli: Cli) -> None:
    columns = [str(number) for number in range(len(rows[0]) if rows else 1)]
    answers["query"] = 200, {"columns": columns, "rows": rows, "has_more": False}
    result = cli("stack", "top", "--count", "1")
    assert (result.code, result.out) == (6, "") and "that are not those that were asked for" in result.err


@pytest.mark.parametrize("command", [["top"], ["traces", "sql", "SELECT 1"]])
def test_who_may_not_see_all_is_told_what_they_may(command: list[str], answers: dict[str, Any], cli: Cli) -> None:
    answers["query"] = 403, REFUSED
    result = cli("stack", *command)
    assert (result.code, result.out) == (4, "")
    assert "sees everybody's requests\n\nhint: `llama stack traces` lists your own" in result.err


@pytest.mark.parametrize("option", [["-f"], ["--errors"], ["-m", "m"], ["--since", "1m"], ["-n", "1"]])
def test_what_is_for_the_list_is_none_for_one(option: list[str], cli: Cli) -> None:
    result = cli("stack", "traces", "req_1", *option)
    assert result.code == 2 and "are for the list\n\nhint: leave them out, or the id" in result.err


def test_the_bare_group_lists(answers: dict[str, Any], cli: Cli) -> None:
    answers["traces"] = 200, [trace(), trace("ff" * 16, request_id=None, http_status=None)]
    assert cli("stack", "traces", "-q").out == f"req_1\n{'ff' * 16}\n"
    for words in ([], ["--color", "never"], ["show"], ["--verbose", "show"]):
        assert len(cli("stack", "traces", *words).out.splitlines()) == 2, words
    assert cli("stack", "traces", "--help").out.startswith("Usage: llama stack traces [OPTIONS] COMMAND ...")
    nearly = cli("stack", "traces", "shwo")
    assert nearly.code == 2 and "did you mean `llama stack traces show`" in nearly.err


STORES = "POST /v1/vector_stores/{vector_store_id}/search"


@pytest.mark.parametrize(
    ("columns", "headers"),
    [
        (47, "Began Status Took Id"),
        (70, "Began Status Took Id Request"),
        (80, "Began Status Took Id Request Outcome"),
        (150, "Began Status Took Id Request Outcome"),
    ],
)
def test_the_list_fits_on_a_terminal_a_line_each(
    columns: int, headers: str, answers: dict[str, Any], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("llama_cli.terminal.console.is_terminal", lambda stream: True)
    failure = "`vendor` answered 401: " + "very wrong " * 9
    answers["traces"] = 200, [trace(name=STORES, model="m"), trace("f" * 32, message=failure, http_status=502)]
    shown = [line.rstrip() for line in cli("stack", "traces", "--color", "never").out.splitlines() if line.strip()]
    assert shown[0].split() == headers.split() and len(shown) == 4
    assert max(map(len, shown)) <= columns
    wide = cli("stack", "traces", "--wide").out
    assert STORES in wide and failure.strip() in wide


@pytest.mark.parametrize(
    ("columns", "headers"),
    [
        (40, "Model Req/s p95 Out/s"),
        (60, "Model Req/s Failed p50 p95 Out/s"),
        (80, "Model Provider Req/s Failed p50 p95 In/s Out/s"),
        (120, "Model Provider Req/s Failed p50 p95 First p50 In/s Out/s"),
    ],
)
def test_figures_fit_on_a_terminal(
    columns: int, headers: str, answers: dict[str, Any], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("llama_cli.terminal.console.is_terminal", lambda stream: True)
    rows = [["meta-reference", "SmolLM2-135M-Instruct"], ["vendor", "steering \x1b[2J" + "模型" * 9]]
    figures = [10, 1, 20.0, 200.0, 39.6, 1000, 100, None]
    every = [None, None, *figures]
    answers["query"] = 200, {"columns": ASKED, "rows": [every, *([*row, *figures] for row in rows)], "has_more": False}
    out = cli("stack", "top", "--count", "1", "--color", "never").out
    shown = [line.rstrip() for line in out.replace("\r", "").replace("\x1b[K", "").replace("\x1b[J", "").splitlines()]
    assert headers.split() in [line.split() for line in shown]
    assert max(map(cell_len, shown)) <= columns and "\x1b" not in "".join(shown)


def test_what_is_wanted_is_asked_for(answers: dict[str, Any], cli: Cli) -> None:
    answers["traces"] = 200, []
    said = cli("stack", "traces", "--errors", "-m", "vendor/small", "--since", "90s", "-n", "7")
    assert (said.code, said.out, said.err) == (0, "", "no requests\n")
    bodies = [body for _, body in Handler.asked]
    assert all((body["failed"], body["limit"], body["order_by"]) == (True, 7, ["-start_time"]) for body in bodies)
    assert all(body["since"].endswith("+00:00") for body in bodies)
    assert [
        [(one["key"].rpartition(".")[2], one["value"]) for one in body["attribute_filters"]] for body in bodies
    ] == [[(key, "vendor/small")] for key in ("asked_for", "id", "model")]


@pytest.mark.parametrize(
    ("id", "spans"),
    [("req_1", ["one"]), ("req_20", ["two", "chat"]), ("20", ["two", "chat"]), (TRACE[:3], ["one", "two", "chat"])],
)
def test_an_id_is_a_request_s_or_a_trace_s_or_how_one_begins(
    id: str, spans: list[str], answers: dict[str, Any], cli: Cli
) -> None:
    two_requests(answers)
    found = cli("stack", "traces", id, "--json").json()
    assert [span["span_id"] for span in found["spans"]] == spans


@pytest.mark.parametrize("command", [["traces", "show"], ["explain"]])
@pytest.mark.parametrize(
    ("id", "message", "hint"),
    [
        ("req_", "several requests begin with `req_`", "give more of it: req_10, req_20"),
        ("zz", "no request and no trace that is kept begins with `zz`", "`llama stack traces` lists the last ones"),
        ("", "no request and no trace that is kept begins with ``", "`llama stack traces` lists the last ones"),
    ],
)
def test_an_id_that_names_nothing_alone(
    command: list[str], id: str, message: str, hint: str, answers: dict[str, Any], cli: Cli
) -> None:
    two_requests(answers)
    result = cli("stack", *command, id)
    assert (result.code, result.out, result.err) == (2, "", f"error: {message}\n\nhint: {hint}\n")


def test_a_trace_that_is_gone_when_its_spans_are_asked_for(answers: dict[str, Any], cli: Cli) -> None:
    answers["spans"], answers["traces"] = (200, []), (200, [trace()])
    for command in (["traces"], ["explain"]):
        result = cli("stack", *command, TRACE)
        assert result.code == 2 and f"no trace that is kept begins with `{TRACE}`" in result.err


def test_a_trace_of_very_many_spans_is_told_to_be_cut(
    answers: dict[str, Any], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_requests(answers)
    whole = cli("stack", "traces", TRACE)
    assert (len(whole.out.splitlines()), whole.err) == (3, "")
    monkeypatch.setattr("llama_cli.asking.traces._MOST_SPANS", 3)
    cut = cli("stack", "traces", TRACE)
    assert (cut.out, cut.err) == (whole.out, "warning: it has more spans than can be shown: these are the first 3\n")


def test_an_id_that_several_requests_have(answers: dict[str, Any], cli: Cli) -> None:
    again = {**request("two", request_id="mine"), "trace_id": "f" * 32}
    answers["spans"], answers["traces"] = (200, [request("one", request_id="mine"), again]), (200, [])
    result = cli("stack", "explain", "mine")
    assert result.code == 2
    assert result.err == f"error: 2 requests have the id `mine`\n\nhint: choose one by its trace: {TRACE}, {'f' * 32}\n"


def test_a_trace_of_several_requests_is_not_explained_as_one(answers: dict[str, Any], cli: Cli) -> None:
    two_requests(answers)
    result = cli("stack", "explain", TRACE)
    assert result.code == 2
    assert f"the trace `{TRACE}` has 2 requests\n\nhint: `llama stack explain req_10` explains the first" in result.err
    assert "Provider `vendor`" in cli("stack", "explain", "req_20").out


def test_what_a_server_warns_of_each_time_is_said_once(answers: dict[str, Any], cli: Cli) -> None:
    two_requests(answers)
    answers["warning"] = "telemetry is turned off"
    for _ in range(2):
        assert cli("stack", "explain", "req_20", "--json").err.count("telemetry is turned off") == 1
        assert len(Handler.asked) > 1
        Handler.asked.clear()


def test_where_the_reason_may_be_found(answers: dict[str, Any], cli: Cli) -> None:
    answers["spans"] = 200, [request(status=404)]
    result = cli("stack", "explain", "req_1")
    assert "was answered with status 404" in result.out
    assert result.err == "hint: `llama stack logs --request req_1` may say why\n"


def test_who_else_has_a_model_is_asked_and_where_that_fails_the_rest_is_told(answers: dict[str, Any], cli: Cli) -> None:
    two_requests(answers)
    told = cli("stack", "explain", "req_20")
    assert told.code == 0
    assert told.out.endswith("Where else it could be had cannot be said: the server is stopping.\n")
    here = {"id": "vendor/small", "provider_id": "vendor", "provider_resource_id": "small", "model_type": "llm"}
    spare = {**here, "id": "spare/small", "provider_id": "spare", "metadata": None}
    health = {"status": "Error", "state": "degraded", "message": "it does not answer"}
    row = {"api": "inference", "provider_id": "spare", "provider_type": "remote::vllm", "health": health}
    answers["/v1/models"] = 200, {"data": [here, spare]}
    answers["/v1/providers"] = 200, {"data": [row]}
    found = cli("stack", "explain", "req_20", "--json").json()
    [other] = found["calls"][0]["others"]
    assert other == {"id": "spare/small", "provider": "spare", "state": "error", "message": "it does not answer"}
    assert "was not asked for and does not work now (it does not answer)." in found["text"][-1]


@pytest.mark.parametrize(
    ("interval", "wrong"),
    [("10ms", "less than 0.1 s would keep the server busy"), ("99999999999d", "it is more than a day")],
)
def test_a_server_is_asked_neither_without_a_pause_nor_never_again(
    interval: str, wrong: str, answers: dict[str, Any], cli: Cli
) -> None:
    every = [None, None, 0, 0, None, None, None, 0, 0, None]
    answers["query"] = 200, {"columns": ASKED, "rows": [every], "has_more": False}
    result = cli("stack", "top", "--interval", interval)
    assert result.code == 2 and f"`--interval`: {wrong}" in result.err


def test_a_request_is_found_by_the_id_of_its_answer(answers: dict[str, Any], cli: Cli) -> None:
    two_requests(answers)
    answers["traces"] = 200, []
    second = answers["spans"][1][1]
    second["attributes"]["gen_ai.response.id"] = "chatcmpl-1"
    read_later = call("read", "three") | {"trace_id": "ff" * 16}
    read_later["attributes"] = {"gen_ai.response.id": "chatcmpl-1"}
    answers["spans"][1].append(read_later)
    assert cli("stack", "explain", "chatcmpl-1", "--json").json()["request_id"] == "req_20"
    unknown = cli("stack", "explain", "chatcmpl-2")
    assert unknown.code == 2 and "begins with `chatcmpl-2`" in unknown.err
