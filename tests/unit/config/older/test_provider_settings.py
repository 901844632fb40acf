"""Settings of providers as older systems wrote them: they are planned, or it is said why they cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.config.loading import parse_run_config
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan
from runtime.stack.planned import PlannedProvider


def planned(kind: str, config: dict[str, Any], *, api: str = "inference") -> tuple[PlannedProvider, list[str]]:
    """The provider, and the warnings."""
    provider = {"provider_id": "p", "provider_type": kind, "config": config}
    models = {"provider_id": "models", "provider_type": "inline::sentence-transformers"}
    document = {"version": 2, "distro_name": "x", "providers": {"inference": [models], api: [provider]}}
    run = parse_run_config(json.dumps(document), env={"TLS": "false"})
    (found,) = (one for one in plan(run).providers if one.provider_id == "p")
    return found, run.warnings


@pytest.mark.parametrize(("written", "verify"), [(True, True), ("${env.TLS:=true}", False), ("${env.NO:=true}", True)])
def test_tls_verify_of_vllm_is_a_setting_of_the_network(written: Any, verify: bool) -> None:
    provider, warnings = planned("remote::vllm", {"url": "https://h/v1", "tls_verify": written})
    assert provider.network is not None and provider.network.tls is not None
    assert provider.network.tls.verify is verify
    assert warnings == ["`providers.inference[0].config.tls_verify` (line 1): this is now `network.tls.verify`"]


def test_the_repository_of_hugging_face_s_router_is_the_model_that_is_served() -> None:
    provider, _ = planned("remote::hf::serverless", {"huggingface_repo": "meta-llama/Llama-3.3-70B-Instruct"})
    assert provider.config.model_dump()["allowed_models"] == ["meta-llama/Llama-3.3-70B-Instruct"]


@pytest.mark.parametrize(
    ("kind", "config", "why"),
    [
        ("remote::ollama", {"url": "http://h:1", "raise_on_connect_error": True}, "is degraded"),
        (
            "remote::vertexai",
            {"project": "p", "thought_signature_store": {"backend": "kv_default", "namespace": "thoughts"}},
            "`extra_content`",
        ),
        ("remote::nvidia", {"url": "https://integrate.api.nvidia.com", "append_api_version": True}, "gets `/v1`"),
    ],
)
def test_a_setting_without_effect_is_said(kind: str, config: dict[str, Any], why: str) -> None:
    _, warnings = planned(kind, config)
    (warning,) = warnings
    assert "has no effect" in warning and why in warning


@pytest.mark.parametrize(
    "kept",
    [
        {"kvstore": {"type": "sqlite", "db_path": "/s/chroma.db"}},
        {"persistence": {"backend": "kv_default", "namespace": "vector_io::chroma"}},
        {"metadata_store": {"backend": "sql_default", "table_name": "vector_stores"}},
    ],
)
def test_what_vector_databases_once_kept_elsewhere_has_no_effect(kept: dict[str, Any]) -> None:
    provider, warnings = planned("inline::chromadb", {"db_path": "/s/chroma", **kept}, api="vector_io")
    assert provider.config.model_dump() == {"db_path": "/s/chroma"}
    assert len(warnings) == 1 and "has no effect" in warnings[0] and "kept in `storage.stores`" in warnings[0]


def test_the_other_address_of_deepseek_is_not_used() -> None:
    _, warnings = planned("remote::deepseek", {"anthropic_base_url": "https://api.deepseek.com/anthropic"})
    assert len(warnings) == 1 and "has no effect" in warnings[0]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (
            "remote::openai",
            {"api_key": "k", "base_url": "https://h/v1", "allowed_models": ["m"], "refresh_models": False},
        ),
        ("remote::azure", {"api_key": "k", "api_base": "https://h", "api_version": "2024-12-01", "api_type": "azure"}),
        ("remote::azure", {"api_key": "k", "base_url": "https://h/openai/v1", "api_version": None, "api_type": None}),
        ("remote::gemini", {"api_key": None, "access_token": "t", "project": "p"}),
        ("remote::vertexai", {"project": "p", "location": "us-central1"}),
        ("remote::vertexai", {"project": "", "location": "global", "access_token": "", "allowed_models": ["m"]}),
        ("remote::vertexai", {"project": "p", "auth_credential": "t", "refresh_models": False}),
        (
            "remote::watsonx",
            {"url": "https://us-south.ml.cloud.ibm.com", "api_key": "k", "project_id": "p", "timeout": 60},
        ),
        ("remote::watsonx", {"base_url": "https://eu-de.ml.cloud.ibm.com", "api_key": None, "project_id": ""}),
        ("remote::oci", {"oci_auth_type": "config_file", "oci_region": "us-ashburn-1", "oci_config_profile": "WORK"}),
        ("remote::oci", {"oci_auth_type": "instance_principal", "oci_compartment_id": "", "refresh_models": False}),
        ("remote::oci", {"oci_auth_type": "", "oci_region": "", "oci_config_file_path": "", "oci_config_profile": ""}),
        ("remote::groq", {"url": "https://api.groq.com", "api_key": "k"}),
        ("remote::cerebras", {"base_url": "https://api.cerebras.ai", "api_key": "k"}),
        ("remote::sambanova-openai-compat", {"openai_compat_api_base": "https://h/v1", "api_key": "k"}),
        ("remote::llama-openai-compat", {"openai_compat_api_base": "https://h/compat/v1/", "api_key": "k"}),
    ],
)
def test_settings_of_hosted_vendors_are_read_as_every_version_wrote_them(kind: str, config: dict[str, Any]) -> None:
    provider, warnings = planned(kind, config)
    assert provider.config is not None and warnings == []


@pytest.mark.parametrize(
    ("kind", "quantization", "dtype"),
    [
        ("inline::meta-reference-quantized", {"type": "fp8"}, "fp8"),  # until 0.1
        ("inline::meta-reference", {"type": "${env.QUANTIZATION_TYPE:=bf16}"}, "bf16"),  # until 0.4
        ("inline::meta-reference", {"type": "fp8_mixed"}, "fp8_mixed"),
        ("inline::meta-reference", None, "auto"),
    ],
)
def test_quantization_of_our_engine_is_its_dtype(kind: str, quantization: dict[str, Any] | None, dtype: str) -> None:
    """As in the distributions of a GPU, with everything that stood beside it."""
    config = {
        "model": "Llama3.2-3B-Instruct",
        "checkpoint_dir": "${env.INFERENCE_CHECKPOINT_DIR:=null}",
        "quantization": quantization,
        "model_parallel_size": "${env.MODEL_PARALLEL_SIZE:=0}",
        "max_batch_size": "${env.MAX_BATCH_SIZE:=1}",
        "max_seq_len": "${env.MAX_SEQ_LEN:=4096}",
    }
    provider, warnings = planned(kind, config)
    found = provider.config.model_dump()
    assert (found["dtype"], found["checkpoint_dir"], found["max_seq_len"]) == (dtype, None, 4096)
    said = ["`providers.inference[0].config.quantization.type` (line 1): this is now `dtype`"] if quantization else []
    assert [warning for warning in warnings if "model_parallel_size" not in warning] == said


@pytest.mark.parametrize("quantization", [{"type": "int4_mixed"}, {"type": "int4", "scheme": None}])
def test_weights_of_4_bits_are_refused_with_what_there_is(quantization: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        planned("inline::meta-reference-quantized", {"model": "m", "quantization": quantization})
    [problem] = raised.value.problems
    assert problem.path == "providers.inference[0].config.quantization.type"
    assert quantization["type"] in problem.message and "use fp8 for weights of 8 bits" in problem.message


def test_a_newer_setting_goes_before_an_older_one() -> None:
    config = {"url": "https://h/v1", "tls_verify": True, "network": {"tls": {"verify": False}}}
    provider, _ = planned("remote::vllm", config)
    assert provider.network is not None and provider.network.tls is not None
    assert provider.network.tls.verify is False


def test_an_endpoint_of_hugging_face_needs_its_address() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        planned("remote::hf::endpoint", {"endpoint_name": "mine"})
    (problem,) = raised.value.problems
    assert "found by its address" in problem.message and "base_url" in (problem.hint or "")
    provider, _ = planned("remote::hf::endpoint", {"endpoint_name": "mine", "base_url": "https://h/v1"})
    assert provider.config.model_dump()["base_url"] == "https://h/v1"


def test_a_section_s_settings_without_effect_are_said_too_also_below_others() -> None:
    section = {
        "default_embedding_model": {"model_id": "models/all-MiniLM-L6-v2", "embedding_dimensions": 384},
        "annotation_prompt_params": {"enable_annotations": True},
        "file_batch_params": {"max_concurrent_files_per_batch": 3, "cleanup_interval_seconds": 60},
    }
    models = {"provider_id": "models", "provider_type": "inline::sentence-transformers"}
    vectors = {"provider_id": "v", "provider_type": "inline::chromadb"}
    providers = {"inference": [models], "vector_io": [vectors]}
    document = {"version": 2, "distro_name": "x", "providers": providers, "vector_stores": section}
    run = parse_run_config(json.dumps(document), env={})
    assert [warning.partition(" (line")[0] for warning in run.warnings] == [
        "`vector_stores.default_embedding_model.embedding_dimensions`",
        "`vector_stores.annotation_prompt_params`",
        "`vector_stores.file_batch_params.cleanup_interval_seconds`",
    ]
    assert all("has no effect" in warning for warning in run.warnings)
    (stores,) = (one for one in plan(run).providers if one.api == "vector_stores")
    assert stores.config.model_dump()["file_batch_params"]["max_concurrent_files_per_batch"] == 3


def test_a_section_that_is_no_mapping_is_left_to_its_model() -> None:
    document = {
        "version": 2,
        "distro_name": "x",
        "providers": {"inference": []},
        "vector_stores": {"file_batch_params": 3},
    }
    assert parse_run_config(json.dumps(document), env={}).warnings == []
