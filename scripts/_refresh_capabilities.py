"""Writes what vendors' models can and cost, as far as a public price list says: see `scripts/refresh_capabilities`.

Only facts are taken: of which type a model is, how much it reads and writes, how long its vectors are, what else it
takes besides text, and the price of its tokens. litellm's list is under the MIT license. Vendors whose own lists say
all of this are left out.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import _listed_prices

from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.uv import run_uv
from runtime.clock import utc_now

_PACKAGE = "litellm"
_LIST = "model_prices_and_context_window_backup.json"
_CATALOG = Path(__file__).parent.parent / "runtime" / "catalog"
_VENDORS = {
    "openai": "openai", "anthropic": "anthropic", "bedrock": "bedrock", "bedrock_converse": "bedrock",
    "cohere": "cohere", "cohere_chat": "cohere", "voyage": "voyage", "jina_ai": "jina", "mistral": "mistral",
    "gemini": "gemini", "xai": "xai", "perplexity": "perplexity", "deepseek": "deepseek", "groq": "groq",
    "together_ai": "together", "fireworks_ai": "fireworks", "fireworks_ai-embedding-models": "fireworks",
    "cerebras": "cerebras", "sambanova": "sambanova", "nvidia_nim": "nvidia", "databricks": "databricks",
    "watsonx": "watsonx", "oci": "oci", "moonshot": "moonshot", "dashscope": "dashscope", "nebius": "nebius",
    "meta_llama": "llama-openai-compat", "zai": "zai", "baseten": "baseten",
}  # fmt: skip
_TYPES = {"chat": "llm", "responses": "llm", "completion": "llm", "embedding": "embedding", "rerank": "rerank"}
_HEAD = ("vendor", "name", "model_type", "context_length", "max_output_tokens", "embedding_dimension", "also_takes")
_WRONG = ("multimodalembedding", "multimodalembedding@001")
"""Models whose vectors are longer than the list says, by Google's documentation."""
_TAKES = {"supports_vision": "image", "supports_audio_input": "audio", "supports_video_input": "video",
          "supports_pdf_input": "file"}  # fmt: skip
Facts = Mapping[str, Any]


def main() -> None:
    version = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{_PACKAGE}=={version}" if version else _PACKAGE
        settings = read_settings()
        run_uv(
            ["pip", "install", *settings.arguments, "--no-deps", "--target", folder, wanted],
            doing=f"install {wanted}",
            folder=Path.cwd(),
            environment=settings.environment,
            step=f"installing {wanted}",
        )
        listed = json.loads(next(Path(folder).rglob(_LIST)).read_text(encoding="utf-8"))
        [info] = Path(folder).glob(f"{_PACKAGE}-*.dist-info")
    read = info.name.removesuffix(".dist-info").replace("-", " ")
    of_models = [*_models(listed)]
    can = {(vendor, name): _capabilities(vendor, name, facts) for vendor, name, facts in of_models}
    cost = _listed_prices.rows(of_models)
    for file, head, rows in (
        ("capabilities.tsv", _HEAD, sorted(can.values())),
        ("prices.tsv", _listed_prices.HEAD, cost),
    ):
        lines = [f"# {read}, read {utc_now():%Y-%m-%d}", *("\t".join(row) for row in (head, *rows))]
        (_CATALOG / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{len(rows)} rows in {file}")


def _models(listed: Mapping[str, Facts]) -> Iterator[tuple[str, str, Facts]]:
    """Each with its vendor, that vendor's name for it, and what the list says."""
    for key, facts in listed.items():
        provider = str(facts.get("litellm_provider", ""))
        vendor = "vertexai" if provider.startswith("vertex_ai") else _VENDORS.get(provider)
        if vendor is None or facts.get("mode") not in _TYPES or "*" in key or key in _WRONG:
            continue
        name = _own_name(key, provider)
        if (vendor == "bedrock" and "/" in name) or (vendor == "fireworks" and "/" not in name):
            continue  # a region's price; a name that is only litellm's
        yield vendor, name, facts


def _capabilities(vendor: str, name: str, facts: Facts) -> tuple[str, ...]:
    model_type = _TYPES[facts["mode"]]
    return (
        vendor,
        name,
        model_type,
        _count(facts, "max_input_tokens", "max_tokens"),
        _count(facts, "max_output_tokens") if model_type == "llm" else "",
        _count(facts, "output_vector_size") if model_type == "embedding" else "",
        "+".join(word for name, word in _TAKES.items() if facts.get(name) is True),
    )


def _own_name(key: str, provider: str) -> str:
    """A key without the prefix that is litellm's own."""
    prefix, slash, rest = key.partition("/")
    return rest if slash and prefix in (provider, "vertex_ai", "bedrock", "fireworks_ai") else key


def _count(facts: Facts, *names: str) -> str:
    return next((str(int(value)) for name in names if isinstance(value := facts.get(name), int | float)), "")


main()
