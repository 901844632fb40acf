"""`llama api`: what is sent for what is typed, and how each kind of answer is passed on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
from multipart import MultipartParser

from tests.support.command_runner import Cli
from tests.support.schemas import conform, schema
from tests.support.small_server import SmallHandler, running, url_of

ROUTES = [
    {"method": method, "route": route, "api": "models", "provider_types": [], "deprecated": False}
    for method, route in (("GET", "/v1/models"), ("GET", "/v1/models/{model_id:path}"), ("POST", "/v1/embeddings"))
]
PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[tuple[str, str, dict[str, str], bytes]]


class Handler(SmallHandler):
    """A server with a few routes, each answering in another kind."""

    server: Server

    def _answer(self) -> None:
        if self.path == "/v1/full":  # answers before the body is there, and reads no more
            self._send(413, "application/json", b'{"error": {"message": "too large"}}')
            self.close_connection = True
            return
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, data))
        place = urlsplit(self.path)
        if place.path == "/v1/inspect/routes":
            self._send(200, "application/json", json.dumps({"data": ROUTES}).encode())
        elif place.path == "/v1/pages":
            after = int(parse_qs(place.query).get("after", ["0"])[0])
            page = {"data": [{"id": after + 1}], "has_more": after < 2, "last_id": str(after + 1)}
            self._send(200, "application/json", json.dumps(page).encode())
        elif place.path == "/v1/loop":
            self._send(200, "application/json", b'{"data": [1], "has_more": true, "last_id": "1"}')
        elif place.path == "/v1/picture":
            self._send(200, "image/png", PICTURE)
        elif place.path == "/v1/responses":
            self._send(200, "text/event-stream", b'event: a\ndata: {"n": 1}\n\nevent: b\ndata: {"n": 2}\n\n')
        elif place.path == "/v1/cut":
            self._send(200, "text/event-stream", b'data: {"choices": []}\n\n')
        elif place.path == "/v1/models":
            self._send(200, "application/json", b'{"data": []}')
        elif place.path == "/v1/gone":
            self._send(204, "application/json", b"")
        elif place.path == "/v1/busy":
            self._send(429, "application/json", b'{"error": {"message": "later"}}')
        else:
            self._send(404, "application/json", b'{"error": {"message": "no such route"}}')

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.answer(body, status=status, kind=kind)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with running(Server(("127.0.0.1", 0), Handler)) as server:
        server.asked = []
        monkeypatch.setenv("LLAMA_STACK_URL", f"{url_of(server)}/v1")
        yield server


@pytest.fixture
def api(cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("LLAMA_STACK_URL", f"http://127.0.0.1:{server.server_port}/v1")  # `cli` takes it away
    return cli


@pytest.mark.parametrize("path", ["models", "/models", "/v1/models", "v1/models"])
def test_a_path_is_typed_with_or_without_its_version(path: str, api: Cli, server: Server) -> None:
    result = api("api", "get", path)
    assert (result.code, result.out, result.err) == (0, '{"data": []}\n', "")
    assert server.asked[0][:2] == ("GET", "/v1/models")


def test_fields_are_json_or_text(api: Cli, server: Server, tmp_path: Path) -> None:
    (tmp_path / "said").write_text("hello")
    given = ["n=2", "a=true", "i=Infinity", 'l=["x"]', "s=a b", f"f=@{tmp_path}/said"]
    api("api", "POST", "models", *(word for one in given for word in ("-F", one)))
    _, _, headers, data = server.asked[0]
    assert json.loads(data) == {"n": 2, "a": True, "i": "Infinity", "l": ["x"], "s": "a b", "f": "hello"}
    assert headers["content-type"] == "application/json"
    api("api", "GET", "models?x=1", "-F", "limit=2", "-F", "order=a b")
    assert server.asked[1][1] == "/v1/models?x=1&limit=2&order=a+b"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
def test_data_comes_from_the_command_line_a_file_or_standard_input(
    method: str, api: Cli, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "body.json").write_text('{"from": "file"}')
    api("api", method, "models", "--data", '{"from": "words"}', "-H", "X-Trace: 7")
    api("api", method, "models", "--data", f"@{tmp_path}/body.json")
    api("api", method, "models", "--data", "-", stdin='{"from": "stdin"}')
    assert [json.loads(data)["from"] for *_, data in server.asked] == ["words", "file", "stdin"]
    assert {asked[0] for asked in server.asked} == {method}
    assert server.asked[0][2]["x-trace"] == "7"


def test_a_form_carries_files_as_they_are(api: Cli, server: Server, tmp_path: Path) -> None:
    (tmp_path / 'a "b".png').write_bytes(PICTURE)
    assert api("api", "POST", "models", "--form", "purpose=vision", "--form", f'file=@{tmp_path}/a "b".png').code == 0
    _, _, headers, data = server.asked[0]
    boundary = headers["content-type"].partition("boundary=")[2]
    parts = {part.name: part for part in MultipartParser(io.BytesIO(data), boundary)}
    assert parts["purpose"].value == "vision"
    assert (parts["file"].filename, parts["file"].content_type) == ('a "b".png', "image/png")
    assert parts["file"].raw == PICTURE
    for part in parts.values():
        part.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "{a"], "`--data`: it is no JSON"),
        (["--data", "@/nowhere"], "`--data`: `/nowhere` cannot be read: No such file or directory"),
        (["-F", "x"], "`--field`: `x` is not `NAME=VALUE`"),
        (["--form", "x=@/nowhere"], "`--form`: `/nowhere` cannot be read"),
        (["-H", "x"], "`--header`: `x` is not `NAME: VALUE`"),
        (["-F", "a=1", "--data", "1"], "give one of `--data`, `--field` and `--form`"),
        (["--data", '{"a": NaN}'], "`--data`: it is no JSON: `NaN` is no number of JSON"),
        (["--paginate"], "`--paginate`: only a list"),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_is_asked(
    words: list[str], said: str, api: Cli, server: Server
) -> None:
    result = api("api", "POST", "models", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {said}")
    assert server.asked == []


def test_events_come_one_a_line(api: Cli) -> None:
    assert api("api", "POST", "responses", "--data", "{}").out == '{"n": 1}\n{"n": 2}\n'
    cut = api("api", "POST", "cut", "--data", "{}")
    assert (cut.code, cut.out) == (6, '{"choices": []}\n')
    assert "closed the stream before its answer was whole" in cut.err


def test_what_is_no_text_goes_into_a_file(api: Cli, tmp_path: Path) -> None:
    result = api("api", "GET", "picture", "--output", str(tmp_path / "it.png"), "--json")
    conform(result.json(), "api")
    assert result.json() == {"file": str(tmp_path / "it.png"), "size_bytes": len(PICTURE), "type": "image/png"}
    assert (tmp_path / "it.png").read_bytes() == PICTURE


def test_every_page_of_a_list_is_asked_for(api: Cli, server: Server) -> None:
    result = api("api", "GET", "pages", "--paginate")
    assert [row["id"] for row in json.loads(result.out)["data"]] == [1, 2, 3]
    assert [path for _, path, *_ in server.asked] == ["/v1/pages", "/v1/pages?after=1", "/v1/pages?after=2"]


def test_an_unknown_path_has_the_nearest_routes(api: Cli) -> None:
    result = api("api", "GET", "modelz")
    assert (result.code, json.loads(result.out)) == (2, {"error": {"message": "no such route"}})
    assert result.err == "error: no such route\n\nhint: did you mean `llama api GET /v1/models`?\n"
    told = api("api", "GET", "modelz", "--json").json()["error"]
    assert (told["status"], told["response"]) == (404, {"error": {"message": "no such route"}})
    # A model that is not there is no misspelled route.
    assert api("api", "GET", "models/x").err == "error: no such route\n"


def test_the_status_decides_how_it_ends(api: Cli) -> None:
    assert api("api", "GET", "busy").code == 6
    assert api("api", "DELETE", "gone").out == ""
    included = api("api", "DELETE", "gone", "-i").out.splitlines()
    assert included[0] == "HTTP/1.1 204 No Content" and "content-length: 0" in included


def test_routes_are_listed(api: Cli) -> None:
    assert api("api", "--list").out.splitlines()[0] == "GET\t/v1/models\tmodels\t"
    assert api("api", "--list", "-q").out.splitlines()[0] == "GET /v1/models"
    rows = api("api", "--list", "--json").json()
    jsonschema.validate(rows, schema("api")["anyOf"][0])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["GTE", "models"], "did you mean `GET`?"),
        (["/v1/models"], "as in `llama api GET /v1/models`"),
        (["GET", "http://x/v1/models"], "the address of a server goes into `--url`"),
    ],
)
def test_method_and_path_are_needed(words: list[str], hint: str, api: Cli, server: Server) -> None:
    result = api("api", *words)
    assert (result.code, result.out) == (2, "")
    assert f"\nhint: {hint}" in result.err
    assert server.asked == []


def test_a_body_that_is_refused_before_it_is_sent_is_told_why(api: Cli, tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(64 << 20)
    result = api("api", "POST", "full", "--form", f"file=@{tmp_path}/big")
    assert (result.code, result.err) == (1, "error: too large\n")


def test_pages_that_never_end_do(api: Cli) -> None:
    result = api("api", "GET", "loop", "--paginate")
    assert (result.code, result.out) == (6, "")
    assert "/v1/loop gives the same page again and again" in result.err


def test_a_stream_goes_out_as_it_comes_where_that_is_asked_for(api: Cli) -> None:
    raw = api("api", "POST", "responses", "--data", "{}", "-o", "-").out
    assert raw == 'event: a\ndata: {"n": 1}\n\nevent: b\ndata: {"n": 2}\n\n'


def test_a_path_of_any_bytes_is_escaped(api: Cli, server: Server) -> None:
    api("api", "GET", "models/\udcff é")
    assert server.asked[0][1] == "/v1/models/%FF%20%C3%A9"


def test_a_dry_run_sends_nothing(api: Cli, server: Server) -> None:
    told = api("api", "POST", "models", "-F", "a=1", "--dry-run", "--json").json()
    assert (told["method"], told["path"], told["body_bytes"], server.asked) == ("POST", "/v1/models", 8, [])
