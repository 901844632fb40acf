"""Gemini at Vertex AI, which is asked in its own form."""

from __future__ import annotations

from dataclasses import replace

from runtime.conformance.inference.wire import wire
from runtime.conformance.upstream import EMBEDDING_MODEL, RERANK_MODEL
from tests.conformance.inference.at_vendor import SPECS
from tests.conformance.inference.vendors.vertexai import GEMINI_MODEL, VENDOR

_NAMES = [GEMINI_MODEL, EMBEDDING_MODEL, RERANK_MODEL]
_KIND = wire(
    SPECS["vertexai"],
    make=VENDOR.make,
    has=VENDOR.has,
    config={**VENDOR.config, "allowed_models": _NAMES},
    chat=GEMINI_MODEL,
)

SUBJECTS = {"gemini": replace(_KIND, abilities=_KIND.abilities - {"passes_unknown_fields"})}
