"""Ids in the shapes that OpenAI's clients expect. Imports nothing else of ours."""

from __future__ import annotations

import secrets


def new_id(prefix: str) -> str:
    """`prefix` and 24 random hex digits, as in `chatcmpl-0f3c...`; the prefix brings its own separator."""
    return prefix + secrets.token_hex(12)
