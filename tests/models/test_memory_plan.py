"""Where a model goes and how much room its KV cache gets, for machines that are not here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime import errors
from runtime.engine.checkpoints.model_config import ModelConfig
from runtime.engine.memory.hardware import probe_hardware
from runtime.engine.memory.needs import DoesNotFit
from runtime.engine.memory.plan import Gpu, Hardware, MemoryPlan, has_larger_gpu, kept_pages, plan_memory
from runtime.engine.running.options import EngineOptions
from tests.support.tiny_llama import tiny_config

GIB = 2**30
LLAMA_8B = ModelConfig(
    architecture="llama",
    layers=32,
    hidden_size=4096,
    heads=32,
    kv_heads=8,
    head_dim=128,
    ffn_size=14336,
    vocab_size=128256,
    context_length=131072,
    norm_eps=1e-5,
    rope_theta=500000.0,
)
H100 = Gpu(name="H100", total_bytes=80 * GIB, free_bytes=79 * GIB)
MIDDLE_GPU = Gpu(name="middle", total_bytes=13 * GIB, free_bytes=12 * GIB)
SMALL_GPU = Gpu(name="small", total_bytes=8 * GIB, free_bytes=7 * GIB)


def plan(hardware: Hardware, config: ModelConfig = LLAMA_8B, **options: Any) -> MemoryPlan:
    return plan_memory(config, hardware, **{"max_batch_size": 16, "max_step_tokens": 512, **options})


def test_counts_the_weights_of_a_known_model() -> None:
    assert LLAMA_8B.parameters == 8_030_261_248  # the published count of Llama 3.1 8B
    assert LLAMA_8B.kv_elements_per_token * 2 == 128 * 1024
    assert LLAMA_8B.doubling_tokens == 8_030_261_248 // (4 * 32 * 4096)


def test_a_gpu_is_taken_in_bfloat16_and_filled_with_pages() -> None:
    found = plan(Hardware(available_bytes=64 * GIB, gpus=(H100,)))
    assert (found.device, found.dtype, found.context_tokens) == ("cuda:0", "bfloat16", 131072)
    pool_bytes = found.pages * found.page_size * LLAMA_8B.kv_elements_per_token * 2
    assert 50 * GIB < pool_bytes < 79 * GIB * 0.9 - found.weights_bytes


def test_the_roomiest_gpu_is_taken() -> None:
    assert plan(Hardware(available_bytes=64 * GIB, gpus=(SMALL_GPU, H100))).device == "cuda:1"


def test_a_gpu_too_small_for_the_weights_leaves_the_model_on_the_cpu() -> None:
    assert plan(Hardware(available_bytes=64 * GIB, gpus=(SMALL_GPU,))).device == "cpu"
    with pytest.raises(errors.Unavailable, match=r"15\.0 GiB for weights as bfloat16.* cuda:0 has 6\.3 GiB free"):
        plan(Hardware(available_bytes=64 * GIB, gpus=(SMALL_GPU,)), device="cuda")


@pytest.mark.parametrize(("has_bf16", "dtype"), [(False, "float32"), (True, "bfloat16")])
def test_a_cpu_computes_in_what_it_has_units_for(has_bf16: bool, dtype: str) -> None:
    assert plan(Hardware(available_bytes=64 * GIB, has_bf16=has_bf16)).dtype == dtype


@pytest.mark.parametrize(
    ("asked", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16"), ("bfloat16", "bfloat16"), ("fp8_mixed", "fp8")]
)
def test_a_dtype_that_is_asked_for_is_taken(asked: str, dtype: str) -> None:
    assert plan(Hardware(available_bytes=64 * GIB), dtype=asked).dtype == dtype


def test_fp8_leaves_a_gpu_more_room_for_the_cache() -> None:
    hardware = Hardware(available_bytes=64 * GIB, gpus=(MIDDLE_GPU, SMALL_GPU))
    assert plan(hardware).device == "cpu"
    found = plan(hardware, dtype="fp8")
    assert (found.device, found.dtype) == ("cuda:0", "fp8")
    matrices = 32 * 4096 * (2 * 4096 + 2 * 1024 + 3 * 14336)
    rows = 32 * (4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096)
    others = 2 * 128256 * 4096 + 65 * 4096
    assert found.weights_bytes == matrices + 4 * rows + 2 * others
    assert found.kv_bytes == found.pages * found.page_size * LLAMA_8B.kv_elements_per_token * 2
    assert has_larger_gpu(LLAMA_8B, hardware, "fp8") and not has_larger_gpu(LLAMA_8B, hardware, "auto")


def test_a_small_model_gets_no_more_pages_than_a_full_batch_uses() -> None:
    found = plan(Hardware(available_bytes=64 * GIB), tiny_config(), max_batch_size=4)
    assert (found.pages - 1) * found.page_size == 4 * 256


def test_a_small_cache_shortens_the_context() -> None:
    config = tiny_config()
    page_bytes = 32 * config.kv_elements_per_token * 4
    found = plan(Hardware(available_bytes=GIB), config, kv_cache_bytes=3 * page_bytes + 1)
    assert (found.pages, found.context_tokens) == (4, 96)
    with pytest.raises(errors.Unavailable, match="no room for 32 tokens"):
        plan(Hardware(available_bytes=GIB), config, kv_cache_bytes=page_bytes - 1)


def test_a_context_limit_is_kept() -> None:
    assert plan(Hardware(available_bytes=GIB), tiny_config(), max_context_tokens=100).context_tokens == 100
    assert plan(Hardware(available_bytes=GIB), tiny_config(), max_context_tokens=100_000).context_tokens == 256


@pytest.mark.parametrize(
    ("hardware", "options", "needs", "fits"),
    [
        (
            Hardware(available_bytes=8 * GIB),
            {},
            "needs 30.1 GiB: 29.9 GiB for weights as float32, 231.3 MiB for a step of 16 sequences, 8.0 MiB for 32"
            " tokens of context. cpu has 8.0 GiB free.",
            "it fits as a GGUF file in Q4_1",
        ),
        (Hardware(available_bytes=20 * GIB), {}, "cpu has 20.0 GiB free.", "it fits with `dtype: bfloat16`"),
        (
            Hardware(available_bytes=31 * GIB),
            {"max_batch_size": 1024, "max_step_tokens": 1024},
            "for a step of 1024 sequences",
            "it fits with `max_batch_size: 256`",
        ),
        (
            Hardware(available_bytes=30 * GIB),
            {"dtype": "bfloat16", "kv_cache_bytes": 16 * GIB, "max_step_tokens": 16},
            "The KV cache is set to 16.0 GiB; beside the weights, cpu has 15.0 GiB free.",
            "set `kv_cache_bytes` to ",
        ),
        (Hardware(available_bytes=9 * GIB), {"dtype": "bfloat16"}, "as bfloat16", "it fits with `dtype: quantized`"),
        (
            Hardware(available_bytes=4 * GIB),
            {"dtype": "bfloat16"},
            "as bfloat16",
            "free 11.1 GiB, or take a model of at most 6.6 billion parameters in Q4_1",
        ),
        (
            Hardware(available_bytes=64 * GIB, gpus=(SMALL_GPU,)),
            {"device": "cuda"},
            "cuda:0 has 6.3 GiB free",
            "or take a model of at most 5.9 billion parameters in fp8",
        ),
        (
            Hardware(available_bytes=64 * GIB, gpus=(SMALL_GPU,)),
            {"device": "cuda", "dtype": "fp8"},
            "8.5 GiB for weights as fp8, 231.3 MiB for a step",
            "free 2.4 GiB, or take a model of at most 5.8 billion parameters in fp8",
        ),
        (
            Hardware(available_bytes=4 * GIB, gpus=(MIDDLE_GPU,)),
            {"device": "cuda"},
            "cuda:0 has 10.8 GiB free",
            "it fits with `dtype: fp8`",
        ),
        (
            Hardware(available_bytes=9 * GIB),
            {"dtype": "fp8", "max_batch_size": 1, "least_context_tokens": 4096},
            "as fp8",
            "it fits with `dtype: quantized`",
        ),
        (
            Hardware(available_bytes=4 * GIB),
            {"packed_bytes": 5 * GIB},
            "5.0 GiB for weights as quantized",
            "free 1.2 GiB, or take a model of at most",
        ),
        (Hardware(available_bytes=6 * GIB), {"packed_bytes": 8 * GIB}, "8.0 GiB", "it fits as a GGUF file in Q4_1"),
    ],
)
def test_a_model_larger_than_memory_is_refused_with_what_it_needs_and_what_would_fit(
    hardware: Hardware, options: dict[str, Any], needs: str, fits: str
) -> None:
    with pytest.raises(DoesNotFit) as caught:
        plan(hardware, **options)
    assert needs in caught.value.message and fits in str(caught.value.hint)
    assert caught.value.code == "model_does_not_fit"


def test_what_a_refusal_advises_is_enough() -> None:
    for options in ({"max_batch_size": 256, "max_step_tokens": 1024}, {"dtype": "bfloat16"}):
        assert plan(Hardware(available_bytes=31 * GIB), **options).pages > 1
    assert plan(Hardware(available_bytes=0, gpus=(MIDDLE_GPU,)), dtype="fp8").device == "cuda:0"
    packed_bytes = LLAMA_8B.parameters * 20 // 32
    assert plan(Hardware(available_bytes=8 * GIB), packed_bytes=packed_bytes).dtype == "quantized"


def test_what_is_missing_is_what_the_shortest_context_lacks() -> None:
    """Others are unloaded for a longer one only where it can then be loaded at all."""
    options: dict[str, Any] = {"dtype": "bfloat16", "least_context_tokens": 65536}
    with pytest.raises(DoesNotFit, match="for 65536 tokens of context") as caught:
        plan(Hardware(available_bytes=20 * GIB), **options)
    assert caught.value.missing_bytes == 0
    with pytest.raises(DoesNotFit) as caught:
        plan(Hardware(available_bytes=10 * GIB), **options)
    assert 5 * GIB < caught.value.missing_bytes < 5.5 * GIB


def test_a_least_context_takes_more_than_the_usual_share() -> None:
    found = plan(Hardware(available_bytes=24 * GIB), dtype="bfloat16", least_context_tokens=65536)
    assert found.context_tokens == 65536
    assert found.kv_bytes == found.pages * found.page_size * LLAMA_8B.kv_elements_per_token * 2
    assert plan(Hardware(available_bytes=24 * GIB), dtype="bfloat16").context_tokens < 32768


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"device": "cuda"}, errors.Unavailable, "torch sees no CUDA device"),
        ({"device": "cuda:x"}, errors.RequestError, "`cuda:x` is not a device"),
        ({"device": "tpu"}, errors.RequestError, "`tpu` is not a device"),
        ({"dtype": "int3"}, errors.RequestError, "`int3` is not a dtype"),
        ({"dtype": "int4_mixed"}, errors.RequestError, "`int4_mixed`, weights of 4 bits, is not computed"),
    ],
)
def test_unknown_words_are_refused(options: dict[str, Any], error: type[errors.StackError], said: str) -> None:
    with pytest.raises(error, match=said):
        plan(Hardware(available_bytes=64 * GIB), **options)


def test_this_machine_can_be_measured() -> None:
    assert probe_hardware().available_bytes > 0


def test_what_stays_in_the_cache_is_bounded_where_other_programs_need_the_memory() -> None:
    on_gpu = plan(Hardware(available_bytes=64 * GIB, gpus=(H100,)))
    on_cpu = plan(Hardware(available_bytes=64 * GIB), max_context_tokens=1024)
    long = plan(Hardware(available_bytes=640 * GIB), max_context_tokens=100_000)
    assert [kept_pages(each, None) for each in (on_gpu, on_cpu, long)] == [None, 2 * 32, 512]
    assert [kept_pages(on_cpu, tokens) for tokens in (0, 31, 64)] == [0, 0, 2]


def test_steps_that_others_wait_for_are_smaller_where_steps_are_slow() -> None:
    options = EngineOptions(model=Path("m"))
    assert (options.chunk_tokens("cpu"), options.chunk_tokens("cuda:0")) == (128, 512)
    assert EngineOptions(model=Path("m"), prefill_chunk_tokens=7).chunk_tokens("cpu") == 7
    for field, value in (("prefill_chunk_tokens", 0), ("prefix_cache_tokens", -1)):
        with pytest.raises(errors.RequestError, match=f"`{field}` is {value}") as refused:
            EngineOptions(model=Path("m"), **{field: value})
        assert refused.value.param == field
