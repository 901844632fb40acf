"""Who signs requests to OCI, who is charged, and what is its own of requests, answers and models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from runtime.conformance.asgi import Client
from runtime.conformance.contexts import provider_context
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, Upstream, upstream_server
from runtime.discovery import load
from tests.conformance.inference.at_vendor import SPECS, asked, at, chat, embedding, reranking
from tests.conformance.inference.vendors.oci import KEY, Oci
from tests.support import oci

OTHER = "ocid1.compartment.oc1..theirs"
CHAT_PATH = "/20231130/actions/v1/chat/completions"


def data(**fields: str) -> dict[str, str]:
    """The header in which a caller says something to a provider."""
    return {"x-llamastack-provider-data": json.dumps(fields)}


async def said(client: Client, headers: dict[str, str]) -> Any:
    return await client.post("/v1/chat/completions", chat(), headers=headers)


def of_oci(upstream: Upstream) -> Oci:
    return cast(Oci, upstream)


@pytest.mark.parametrize("profile", ["DEFAULT", "SHUT", "SESSION"])
async def test_the_keys_of_a_config_file_sign(tmp_path: Path, profile: str) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    file = oci.write_config(folder)
    config = {"oci_config_file_path": str(file), "oci_config_profile": profile}
    async with at("oci", tmp_path / "stack", **config) as (client, upstream):
        of_oci(upstream).keys[f"ST${(folder / 'token').read_text()}"] = oci.key().public_key()
        assert (await said(client, {})).status == 200
        used = upstream.seen[-1].headers["authorization"]
    assert ('keyId="ST$' in used) == (profile == "SESSION")


async def test_a_session_that_is_renewed_in_its_file_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    file = oci.write_config(folder)
    config = {"oci_config_file_path": str(file), "oci_config_profile": "SESSION", "allowed_models": [CHAT_MODEL]}
    async with at("oci", tmp_path / "stack", **config) as (client, upstream):
        keys = of_oci(upstream).keys
        keys[f"ST${(folder / 'token').read_text()}"] = oci.key().public_key()
        assert (await said(client, {})).status == 200
        new = oci.token(of="another session")
        (folder / "token").write_text(new)
        keys.clear()
        keys[f"ST${new}"] = oci.key().public_key()
        assert (await said(client, {})).status == 200


@pytest.mark.parametrize(
    ("write", "words", "hint"),
    [
        (lambda file: file.unlink(), "the file of OCI's profiles cannot be read", "`oci setup config`"),
        (lambda file: file.write_text("[OTHER]\nuser=a\n"), "has no profile `WORK`", "it has `DEFAULT`, `OTHER`"),
        (lambda file: file.write_text("[WORK]\nuser=a\n"), "has no `key_file`", "`oci setup config`"),
        (lambda file: file.write_text("[WORK]\nkey_file=none.pem\n"), "cannot be read", "`oci setup config`"),
        (lambda file: file.write_text("[WORK]\nkey_file=key.pem\n"), "lacks `tenancy`, `user`", "`oci setup config`"),
        (lambda file: file.write_text("[WORK]\nkey_file=shut.pem\n"), "cannot be read", "set `pass_phrase`"),
        (lambda file: file.write_text("[WORK]\nkey_file=shut.pem\npass_phrase=x\n"), "cannot be read", "passphrase"),
        (lambda file: file.write_text("WORK\n"), "cannot be read", "`oci setup config`"),
    ],
    ids=["no file", "no profile", "no key", "no key file", "no user", "shut", "wrong passphrase", "no INI"],
)
async def test_what_is_wrong_with_a_config_file_is_told(tmp_path: Path, write: Any, words: str, hint: str) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    file = oci.write_config(folder)
    write(file)
    config = {"oci_config_file_path": str(file), "oci_config_profile": "WORK"}
    async with at("oci", tmp_path / "stack", **config) as (client, upstream):
        health = (await client.get("/v1/providers/vendor")).json()["health"]
        assert health["status"] == "Error"
        assert words in health["message"] and hint in health["message"]
        assert "PRIVATE KEY" not in health["message"] and upstream.seen == []


@pytest.mark.parametrize("as_files", [True, False])
async def test_a_resource_signs_with_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_files: bool) -> None:
    token = oci.token(of="a function")
    values = {"RPST": token, "PRIVATE_PEM": oci.pem(oci.key()).decode()}
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2")
    for name, value in values.items():
        (tmp_path / name).write_text(value)
        monkeypatch.setenv(f"OCI_RESOURCE_PRINCIPAL_{name}", str(tmp_path / name) if as_files else value)
    async with at("oci", tmp_path / "stack", oci_auth_type="resource_principal", allowed_models=[CHAT_MODEL]) as found:
        client, upstream = found
        of_oci(upstream).keys = {f"ST${token}": oci.key().public_key()}
        assert (await said(client, {})).status == 200


async def test_what_is_no_resource_of_oracle_s_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_VERSION", "1.1")
    async with at("oci", tmp_path, oci_auth_type="resource_principal") as (client, _):
        health = (await client.get("/v1/providers/vendor")).json()["health"]
    assert "`OCI_RESOURCE_PRINCIPAL_VERSION` is 1.1, not 2.2" in health["message"]


@pytest.mark.parametrize("brought", [True, False])
async def test_an_api_key_is_sent_and_nothing_is_signed(tmp_path: Path, brought: bool) -> None:
    config = {"api_key": None if brought else KEY, "allowed_models": [CHAT_MODEL]}
    config |= {} if brought else {"oci_compartment_id": ""}
    async with at("oci", tmp_path, **config) as (client, upstream):
        answer = await said(client, data(oci_api_key=KEY) if brought else {})
        assert answer.status == 200, answer.body
        assert upstream.seen[-1].headers["authorization"] == f"Bearer {KEY}"
        if not brought:
            listed = (await client.get("/v1/models")).json()["data"]
            assert [model["id"] for model in listed] == [f"vendor/{CHAT_MODEL}"]
            assert not upstream.calls("/models")


@pytest.mark.parametrize(
    ("headers", "charged"), [({}, oci.COMPARTMENT), (data(oci_compartment_id=OTHER), OTHER)], ids=["ours", "theirs"]
)
async def test_somebody_is_charged(tmp_path: Path, headers: dict[str, str], charged: str) -> None:
    async with at("oci", tmp_path) as (client, upstream):
        assert (await said(client, headers)).status == 200
        assert upstream.seen[-1].path == CHAT_PATH
        sent = {name.lower(): value for name, value in upstream.seen[-1].headers.items()}
        assert sent["opc-compartment-id"] == sent["compartmentid"] == charged
        assert (await client.post("/v1/embeddings", embedding(), headers=headers)).status == 200
        assert asked(upstream)[-1]["compartmentId"] == charged


async def test_nobody_is_charged_without_a_compartment(tmp_path: Path) -> None:
    async with at("oci", tmp_path, oci_compartment_id="") as (client, upstream):
        health = (await client.get("/v1/providers/vendor")).json()["health"]
        assert "has no compartment" in health["message"] and "OCI_COMPARTMENT_OCID" in health["message"]
        assert upstream.seen == []


@pytest.mark.parametrize("name", ["oci_auth_type", "oci_region", "oci_config_file_path", "oci_config_profile"])
async def test_a_caller_does_not_choose_with_whose_key_is_signed(tmp_path: Path, name: str) -> None:
    async with at("oci", tmp_path) as (client, upstream):
        answer = await said(client, data(**{name: "x"}))
        assert (answer.status, answer.error["param"]) == (400, name)
        assert asked(upstream) == []


async def test_models_that_can_be_asked_are_listed(tmp_path: Path) -> None:
    async with at("oci", tmp_path) as (client, upstream):
        upstream.models = [CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL]
        await client.get("/v1/models/vendor/unknown")  # the list is asked for again
        listed = (await client.get("/v1/models")).json()["data"]
        assert upstream.calls("/models")[-1].query == (
            f"compartmentId={oci.COMPARTMENT}&lifecycleState=ACTIVE&limit=1000"
        )
    assert {model["id"]: model["model_type"] for model in listed} == {
        f"vendor/{CHAT_MODEL}": "llm",
        f"vendor/{EMBEDDING_MODEL}": "embedding",
        f"vendor/{RERANK_MODEL}": "rerank",
    }
    sees = {model["id"] for model in listed if "image" in model["metadata"].get("input_modalities", ())}
    assert sees == {f"vendor/{CHAT_MODEL}"}


def test_each_service_has_a_host_of_its_own() -> None:
    spec = SPECS["oci"]
    config = load(spec.config or "", package=spec.module)(oci_region="eu-frankfurt-1", oci_compartment_id="c")
    adapter = load(spec.adapter, package=spec.module)(config, provider_context(spec))
    inference = "https://inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com/20231130/actions"
    assert adapter.url("/chat/completions", "m") == f"{inference}/v1/chat/completions"
    assert adapter.url("embedText", "m") == f"{inference}/embedText"
    assert adapter.url("/models", "").startswith(
        "https://generativeai.eu-frankfurt-1.oci.oraclecloud.com/20231130/models?compartmentId=c&"
    )


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("passage", "SEARCH_DOCUMENT"),
        ("query", "SEARCH_QUERY"),
        ("search_query", "SEARCH_QUERY"),
        ("clustering", "CLUSTERING"),
    ],
)
async def test_what_a_text_is_for_is_said_in_its_words(tmp_path: Path, given: str, sent: str) -> None:
    async with at("oci", tmp_path) as (client, upstream):
        answer = await client.post("/v1/embeddings", embedding(input_type=given, dimensions=8))
        assert answer.status == 200, answer.body
        body = asked(upstream)[-1]
    assert (body["inputType"], body["outputDimensions"]) == (sent, 8)
    assert body["servingMode"] == {"servingType": "ON_DEMAND", "modelId": EMBEDDING_MODEL}


async def test_a_purpose_that_it_does_not_know_is_refused(tmp_path: Path) -> None:
    async with at("oci", tmp_path) as (client, upstream):
        answer = await client.post("/v1/embeddings", embedding(input_type="decoration"))
        assert (answer.status, answer.error["param"]) == (400, "input_type")
        assert asked(upstream) == []


async def test_an_endpoint_of_a_cluster_of_one_s_own_is_asked_as_such(tmp_path: Path) -> None:
    endpoint = "ocid1.generativeaiendpoint.oc1.eu-frankfurt-1.aaaa"
    async with at("oci", tmp_path, allowed_models=[RERANK_MODEL]) as (client, upstream):
        upstream.models = []  # it lists nothing, so any name may be one of its models
        answer = await client.post("/v1/rerank", {**reranking(), "model": f"vendor/{endpoint}"})
        assert answer.status == 200, answer.body
        sent = [body["servingMode"] for body in asked(upstream)]
    assert sent == [{"servingType": "DEDICATED", "endpointId": endpoint}]


async def test_many_texts_are_embedded_in_several_requests(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(200)]
    async with at("oci", tmp_path) as (client, upstream):
        answer = (await client.post("/v1/embeddings", embedding(input=texts))).json()
        assert sorted(len(body["inputs"]) for body in asked(upstream)) == [8, 96, 96]
        alone = (await client.post("/v1/embeddings", embedding(input=texts[-1]))).json()
    assert [entry["index"] for entry in answer["data"]] == [*range(200)]
    assert answer["data"][-1]["embedding"] == alone["data"][0]["embedding"]
    assert answer["usage"]["prompt_tokens"] == sum(map(len, texts))


async def test_a_refused_signature_is_no_fault_of_the_caller_s(tmp_path: Path) -> None:
    async with at("oci", tmp_path, allowed_models=[CHAT_MODEL]) as (client, upstream):
        assert (await said(client, {})).status == 200
        of_oci(upstream).keys.clear()
        answer = await said(client, {})
        assert (answer.status, answer.error["code"]) == (502, "upstream_refused_key")
        assert "the profile `DEFAULT`" in answer.error["message"] and oci.KEY_ID not in answer.error["message"]


async def test_a_limit_keeps_its_status(tmp_path: Path) -> None:
    async def is_full(_: web.Request) -> web.StreamResponse:
        told = {"code": "TooManyRequests", "message": "Request is throttled"}
        return web.json_response(told, status=429, headers={"retry-after": "60", "opc-request-id": "A/B/C"})

    async with at("oci", tmp_path) as (client, upstream):
        upstream.misbehaves = is_full
        answer = await said(client, {})
    assert (answer.status, answer.error["code"]) == (429, "TooManyRequests")
    assert answer.headers["retry-after"] == "60"


async def test_a_config_of_llama_stack_s_is_understood(tmp_path: Path) -> None:
    """As its distribution renders it, on a machine that is none of Oracle's."""
    async with upstream_server() as nothing:
        config = {
            "oci_auth_type": "instance_principal", "oci_region": "us-ashburn-1", "oci_compartment_id": oci.COMPARTMENT,
            "oci_config_file_path": "~/.oci/config", "oci_config_profile": "DEFAULT", "base_url": nothing.url,
        }  # fmt: skip
        provider = {"provider_id": "oci", "provider_type": "remote::oci", "config": config}
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("OCI_METADATA_BASE_URL", nothing.url)
            async with serving(run_config(provider), tmp_path) as served:
                health = (await served.client.get("/v1/providers/oci")).json()["health"]
                assert "no machine of Oracle's" in health["message"]
                assert "`config_file`" in health["message"] and "`oci setup config`" in health["message"]
                looked = len(nothing.seen)
                await served.client.get("/v1/providers/oci")
                assert len(nothing.seen) == looked  # it is not looked for again at once
