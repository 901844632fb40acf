"""What every subject of the comparison is given: the same model, threads, streams and memory for keys and values.

None guesses tokens: how often a guess is right depends on the text more than on the engine, and a small model that
decodes greedily repeats itself.
"""

from __future__ import annotations

MODEL = "SmolLM2-135M-Instruct"
STREAMS = 16
"""Sequences that are computed together at most."""
CACHE_TOKENS = 16384
"""Tokens whose keys and values have room, over all streams; 2 bytes an element, as llama.cpp keeps them."""
CACHE_BYTES = CACHE_TOKENS * 30 * 2 * 3 * 64 * 2
"""The same for our engine: 30 layers, keys and values, 3 heads of 64, 2 bytes each."""
