"""What vendors' models can, where the vendor's list does not say it: `capabilities.tsv`, made by
`scripts/refresh_capabilities` and read when a vendor is first looked up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """model_type: llm, embedding or rerank; empty if unknown. facts: context_length and max_output_tokens in tokens,
    embedding_dimension, input_modalities; only those that are known.
    """

    model_type: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


_NOTHING = Capabilities()
_FILE = Path(__file__).parent / "capabilities.tsv"


def capabilities_of(vendor: str, name: str) -> Capabilities:
    """Those of a model by the vendor's own name for it, in any case; empty where nothing is known."""
    row = _rows().get(vendor, {}).get(name.lower())
    return _NOTHING if row is None else _capabilities(*row)


def _capabilities(model_type: str, context: str, output: str, dimension: str, also_takes: str) -> Capabilities:
    numbers = {"context_length": context, "max_output_tokens": output, "embedding_dimension": dimension}
    facts: dict[str, object] = {name: int(cell) for name, cell in numbers.items() if cell}
    if also_takes:
        facts["input_modalities"] = ["text", *also_takes.split("+")]
    return Capabilities(model_type=model_type, facts=facts)


@cache
def _rows() -> Mapping[str, Mapping[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    _, _, *rows = _FILE.read_text(encoding="utf-8").splitlines()
    for row in rows:
        vendor, name, *cells = row.split("\t")
        found[vendor].setdefault(name.lower(), cells)
    return found
