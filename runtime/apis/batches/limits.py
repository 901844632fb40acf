"""How large the files of batches may be: OpenAI's limits, but for that of one line, which is that of a request's body.

https://platform.openai.com/docs/guides/batch (2026-11)
"""

from __future__ import annotations

MAX_LINES = 50_000
MAX_INPUT_BYTES = 200 * 1024**2
MAX_LINE_BYTES = 64 * 1024**2
