"""Downloads from a hub and from Meta's server on this machine: what comes, in which pieces, and every way to fail."""

from __future__ import annotations

import hashlib
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from llama_cli.weights import room
from llama_cli.weights.manifest import read_manifest
from tests.support.command_runner import Cli, Result
from tests.support.hub import GOOD_TOKEN, SIGNATURE, TINY, WEIGHTS, Hub, Repo, running_hub
from tests.support.schemas import conform
from tests.support.web_proxy import served


def folder(cli: Cli, name: str = "tiny") -> Path:
    return cli.home / "models" / name


def failed(result: Result, code: int) -> str:
    assert (result.code, result.out) == (code, ""), result
    return result.err


def test_what_a_model_needs_comes_with_checksums(hub: Hub, cli: Cli) -> None:
    result = cli("model", "download", "org/tiny", "--json")
    assert result.code == 0, result.err
    [document] = result.json()
    conform(result.json(), "model-download")
    assert document["result"] == "downloaded" and document["downloaded_bytes"] == document["size_bytes"]
    # Neither the same weights in other forms, nor git's own files.
    paths = ["assets/a file.txt", "config.json", "model.safetensors"]
    assert sorted(file["path"] for file in document["files"]) == paths
    assert {path: (folder(cli) / path).read_bytes() for path in paths} == {path: TINY[path] for path in paths}
    manifest = read_manifest(folder(cli))
    assert manifest is not None and manifest.revision == hub.repos["org/tiny"].sha
    assert {file.path: file.sha256 for file in manifest.files} == {
        path: hashlib.sha256(TINY[path]).hexdigest() for path in paths
    }
    assert not any((cli.home / "models" / ".incomplete").iterdir())


def test_a_large_file_comes_in_pieces_from_the_cdn(hub: Hub, cli: Cli) -> None:
    assert cli("model", "download", "org/tiny").code == 0
    ranges = {asked.headers["range"] for asked in hub.of("cdn", "model.safetensors")}
    assert ranges == {f"bytes={first}-{first + 9999}" for first in range(0, 100_000, 10_000)}


def test_twice_is_the_same_as_once(hub: Hub, cli: Cli) -> None:
    assert cli("model", "download", "org/tiny").code == 0
    hub.asked.clear()
    again = cli("model", "download", "org/tiny")
    assert (again.code, again.out.split("\t")[0]) == (0, "tiny")
    assert "`tiny` is there already" in again.err
    assert len(hub.asked) == 1


def test_another_content_of_the_same_name_is_a_conflict(hub: Hub, cli: Cli) -> None:
    assert cli("model", "download", "org/tiny").code == 0
    hub.repos["org/tiny"] = Repo({**TINY, "config.json": b'{"model_type": "lama "}'}, sha="d" * 40)
    assert "--name" in failed(cli("model", "download", "org/tiny"), 5)
    assert cli("model", "download", "org/tiny", "--name", "newer").code == 0
    assert (folder(cli, "newer") / "config.json").read_bytes() == b'{"model_type": "lama "}'


def test_a_dry_run_says_files_and_sizes(hub: Hub, cli: Cli) -> None:
    result = cli("model", "download", "org/tiny", "--dry-run")
    assert result.code == 0
    assert result.out == "config.json\t23\nmodel.safetensors\t100000\nassets/a file.txt\t0\n"
    assert "would download 100.0 kB of `tiny`" in result.err
    assert not cli.home.exists()
    rows = cli("model", "download", "org/tiny", "--dry-run", "--json").json()
    conform(rows, "model-download")
    [document] = rows
    assert (document["result"], document["downloaded_bytes"]) == ("would_download", 100_023)


@pytest.mark.parametrize("is_without_ranges", [False, True])
def test_a_connection_that_breaks_goes_on_where_it_was(is_without_ranges: bool, hub: Hub, cli: Cli) -> None:
    hub.without_ranges = is_without_ranges
    hub.breaks["model.safetensors"] = [4000, 0, 7000, 1]
    assert cli("model", "download", "org/tiny").code == 0
    assert (folder(cli) / "model.safetensors").read_bytes() == WEIGHTS


def test_what_came_before_a_failure_is_not_asked_for_again(hub: Hub, cli: Cli) -> None:
    hub.breaks["model.safetensors"] = [4000, 3000, *[0] * 1000]
    failure = failed(cli("model", "download", "org/tiny", "--max-parallel", "1"), 6)
    assert "broke off 6 times" in failure and "the same command goes on from there" in failure
    assert not folder(cli).exists()
    [row] = json.loads(cli("model", "list", "--downloaded", "--json").out)
    assert (row["name"], row["state"]) == ("tiny", "incomplete")
    hub.breaks.clear()
    hub.asked.clear()
    [document] = cli("model", "download", "org/tiny", "--json").json()
    assert document["downloaded_bytes"] == 100_000 - 7000
    assert "bytes=7000-9999" in {asked.headers["range"] for asked in hub.of("cdn")}
    assert (folder(cli) / "model.safetensors").read_bytes() == WEIGHTS


def test_a_server_that_has_enough_is_asked_again_when_it_says(hub: Hub, cli: Cli) -> None:
    hub.statuses = {"/resolve/": [(429, {"Retry-After": "0"}), (503, {})], "/api/": [(500, {})], "/lfs/": [(504, {})]}
    assert cli("model", "download", "org/tiny").code == 0
    assert (folder(cli) / "model.safetensors").read_bytes() == WEIGHTS


def test_a_limit_that_stays_is_said(hub: Hub, cli: Cli) -> None:
    hub.statuses["/api/"] = [(429, {"Retry-After": "0"})] * 6
    assert "set `HF_TOKEN`" in failed(cli("model", "download", "org/tiny"), 6)


def test_a_wrong_checksum_is_no_model(hub: Hub, cli: Cli) -> None:
    hub.wrong.add("model.safetensors")
    assert "`model.safetensors` is not what it should be: its sha256 is" in failed(
        cli("model", "download", "org/tiny"), 1
    )
    assert not folder(cli).exists()
    hub.wrong.clear()
    assert cli("model", "download", "org/tiny").code == 0


def test_small_files_are_held_against_the_digest_that_git_has(hub: Hub, cli: Cli) -> None:
    hub.wrong.add("config.json")
    assert "`config.json` is not what it should be: its git is" in failed(cli("model", "download", "org/tiny"), 1)


def test_the_token_goes_to_the_hub_alone(hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["org/tiny"].is_gated = True
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    assert cli("model", "download", "org/tiny").code == 0
    assert {asked.headers.get("authorization") for asked in hub.of("hub")} == {f"Bearer {GOOD_TOKEN}"}
    assert {asked.headers.get("authorization") for asked in hub.of("cdn")} == {None}


def test_the_address_of_a_command_gets_no_token(hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repos["org/tiny"].is_gated = True
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    failure = failed(cli("model", "download", "org/tiny", "--url", hub.url), 4)
    assert {asked.headers.get("authorization") for asked in hub.of("hub")} == {None}
    assert f"set `HF_ENDPOINT` to {hub.url}, since a token goes to that hub alone" in failure


def test_a_token_that_was_saved_is_used(hub: Hub, cli: Cli, tmp_path: Path) -> None:
    hub.repos["org/tiny"].is_gated = True
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(f"{GOOD_TOKEN}\n")
    assert cli("model", "download", "org/tiny").code == 0


@pytest.mark.parametrize("token", [None, "hf_other"])
def test_a_licence_to_accept_names_the_page_and_the_variable(
    token: str | None, hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["meta-llama/Llama-3.2-1B-Instruct"] = Repo(TINY, is_gated=True)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    failure = failed(cli("model", "download", "Llama3.2-1B-Instruct"), 4)
    assert "accept it at https://huggingface.co/meta-llama/Llama-3.2-1B-Instruct" in failure
    assert ("your token's account" in failure) == (token is not None)
    assert ("`HF_TOKEN`" in failure) == (token is None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["org/tinny"], "the hub has no model `org/tinny`"),
        (["org/tiny", "--revision", "v9"], "`org/tiny` has no revision `v9`"),
        (["org/tiny", "--files", "*.onnx"], "no file of `org/tiny` is called like `*.onnx`"),
        (["Llama3.2-1B-Instrukt"], "did you mean `Llama3.2-1B-Instruct`"),
        (["meta-llama/Llama-3.2-1B-Instrct"], "did you mean `meta-llama/Llama-3.2-1B-Instruct`"),
        (["org/tiny", "--name", "../x"], "`../x` cannot name a model"),
        ([], "which model?"),
    ],
)
def test_what_there_is_not_is_usage(arguments: list[str], said: str, hub: Hub, cli: Cli) -> None:
    assert said in failed(cli("model", "download", *arguments), 2)


def test_of_several_gguf_files_one_must_be_chosen(hub: Hub, cli: Cli) -> None:
    files = {"tiny-Q8_0.gguf": b"GGUF" * 9, "tiny-Q4_K_M.gguf": b"GGUF" * 5, "README.md": b"#"}
    hub.repos["org/tiny-GGUF"] = Repo(files)
    assert "choose with `--files 'tiny-Q4_K_M.gguf'`" in failed(cli("model", "download", "org/tiny-GGUF"), 2)
    assert cli("model", "download", "org/tiny-GGUF", "--files", "*Q4_K_M*").code == 0
    assert [path.name for path in folder(cli, "tiny-GGUF").iterdir() if path.suffix == ".gguf"] == ["tiny-Q4_K_M.gguf"]


@pytest.mark.parametrize("path", ["../../evil", "/etc/evil", "a\\..\\evil", "C:evil", "nul.txt", "a//b", "x/\x1b[2J"])
def test_a_name_that_leads_elsewhere_is_refused(path: str, hub: Hub, cli: Cli) -> None:
    hub.repos["org/tiny"] = Repo({"config.json": b"{}", path: b"evil"})
    failure = failed(cli("model", "download", "org/tiny"), 6)
    assert "which is no name of a file inside a model's folder" in failure and "\x1b" not in failure
    assert not cli.home.exists()


def test_a_disk_without_room_is_said_before_anything_is_written(
    hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage: Any = room.shutil.disk_usage(cli.home.parent)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda place: usage._replace(free=50_000))
    assert "`tiny` needs 100.0 kB, and 50.0 kB are free" in failed(cli("model", "download", "org/tiny"), 1)
    assert not hub.of("cdn")


def test_offline_asks_nobody(hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "`--offline` forbids" in failed(cli("model", "download", "org/tiny", "--offline"), 6)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "`HF_HUB_OFFLINE` forbids" in failed(cli("model", "download", "org/tiny"), 6)
    assert hub.asked == []


def test_a_hub_that_is_not_there_is_said_at_once(cli: Cli, hub: Hub) -> None:
    failure = failed(cli("model", "download", "org/tiny", "--url", "http://127.0.0.1:1"), 6)
    assert "http://127.0.0.1:1" in failure and "Connection refused" in failure


def test_something_else_than_a_hub_is_said(cli: Cli, hub: Hub) -> None:
    hub.repos["org/tiny"].sha = ""
    hub.statuses["/api/"] = [(302, {"Location": f"{hub.url}/org/tiny/resolve/main/config.json"})]
    assert "no list of a model's files" in failed(cli("model", "download", "org/tiny"), 6)


def test_two_at_once_do_not_meet(hub: Hub, cli: Cli) -> None:
    import fcntl

    work = cli.home / "models" / ".incomplete" / "tiny"
    work.mkdir(parents=True)
    with (work / ".lock").open("w") as held:
        held.write("4711\n")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "process 4711 is at work on `tiny`" in failed(cli("model", "download", "org/tiny"), 5)
    assert cli("model", "download", "org/tiny").code == 0


# The way there


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """With which a server is `hub.example` or this machine, and an authority that is named as a company would."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hub.example", "127.0.0.1").configure_cert(context)
    return context


def test_through_a_proxy_and_a_certificate_of_ones_own(
    trusted: ssl.SSLContext, hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_hub(trusted) as secure, served() as proxy:
        secure.repos["org/words"] = Repo({"config.json": b"{}", "vocab.txt": b"a"})
        proxy.leads_to = ("127.0.0.1", int(secure.url.rpartition(":")[2]))
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        result = cli("model", "download", "org/words", "--url", "https://hub.example")
        assert result.code == 0, result.err
        assert set(proxy.asked) == {("CONNECT", "hub.example:443")}
        monkeypatch.delenv("SSL_CERT_FILE")
        failure = failed(cli("model", "download", "org/words", "--url", "https://hub.example", "--name", "x"), 6)
        assert "`SSL_CERT_FILE=FILE`" in failure


def test_nothing_leads_from_tls_to_none(trusted: ssl.SSLContext, hub: Hub, cli: Cli) -> None:
    with running_hub(trusted) as secure:
        secure.repos["org/tiny"] = Repo(TINY)
        failure = failed(cli("model", "download", "org/tiny", "--url", secure.url), 6)
        assert "without TLS" in failure and "s3cret" not in failure
        assert not secure.of("cdn")


# Meta's server

PARAMS = b'{"dim": 64}'


@pytest.fixture
def meta(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    files = {"consolidated.00.pth": WEIGHTS, "params.json": PARAMS, "tokenizer.model": b"tokens"}
    checklist = "".join(f"{hashlib.md5(data).hexdigest()}  {path}\n" for path, data in files.items())
    hub.meta = {f"Llama-3.1-8B/{path}": data for path, data in files.items()}
    hub.meta["Llama-3.1-8B/checklist.chk"] = checklist.encode()
    monkeypatch.setenv("LLAMA_META_URL", hub.meta_url)
    return hub


def test_a_model_of_metas_comes_by_the_signed_address(meta: Hub, cli: Cli) -> None:
    result = cli("model", "download", "Llama3.1-8B", "--source", "meta")
    assert result.code == 0, result.err
    assert (folder(cli, "Llama3.1-8B") / "consolidated.00.pth").read_bytes() == WEIGHTS
    manifest = read_manifest(folder(cli, "Llama3.1-8B"))
    assert manifest is not None and SIGNATURE not in manifest.text()
    assert cli("model", "verify", "Llama3.1-8B").code == 0
    # The older command line, with the address on standard input.
    older = cli("download", "--source", "meta", "--model-id", "Llama3.1-8B", "--meta-url", "-", stdin=meta.meta_url)
    assert older.code == 0 and "is the older name of `llama model download`" in older.err


def test_an_address_that_has_run_out_is_access(meta: Hub, cli: Cli) -> None:
    expired = meta.meta_url.replace("Policy=abc", "Policy=old")
    failure = failed(cli("model", "download", "Llama3.1-8B", "--url", expired), 4)
    assert "it is valid for 24 hours" in failure and "Policy" not in failure


def test_a_checksum_of_the_checklist_counts(meta: Hub, cli: Cli) -> None:
    meta.wrong.add("params.json")
    assert "its md5 is" in failed(cli("model", "download", "Llama3.1-8B", "--source", "meta"), 1)


@pytest.mark.parametrize(
    ("given", "said"), [("", "set `LLAMA_META_URL`"), ("https://example.org/no-star", "it has no `*`")]
)
def test_without_a_signed_address_meta_is_not_asked(
    given: str, said: str, meta: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_META_URL", given)
    assert said in failed(cli("model", "download", "Llama3.1-8B", "--source", "meta"), 2)
    assert meta.asked == []
