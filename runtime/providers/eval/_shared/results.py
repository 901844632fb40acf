"""What came of an evaluation, as a whole."""

from __future__ import annotations

from runtime.apis.eval.results import EvaluateResponse
from runtime.apis.scoring.protocol import ScoringResult
from runtime.errors import TooLarge
from runtime.providers.eval._shared.kept_rows import KeptRows, decode
from runtime.sse import Json
from runtime.storage.sql import Row

MOST_ROWS, MOST_BYTES = 10_000, 16 * 1024 * 1024


async def whole(kept: KeptRows, run: Row) -> EvaluateResponse:
    """run: with all columns. Raises TooLarge for more than one answer may hold, Unavailable."""
    count, size_bytes = await kept.size()
    if count > MOST_ROWS or size_bytes > MOST_BYTES:
        raise TooLarge(
            f"The run `{run['id']}` has {count} rows of {size_bytes} bytes, which are too many for one answer",
            hint="read them page by page: `.../rows`; what is said of all of them is in analytics, `eval_runs`",
            param="job_id",
        )
    generations: list[Json] = []
    scores: dict[str, list[Json]] = {function: [] for function in run["functions"]}
    async for rows in kept.every("generation", "scores", "is_scored"):
        for row in rows:
            if row["is_scored"]:
                generations.append(decode(row["generation"]))
                for function, said in decode(row["scores"]).items():
                    scores[function].append(said)
    together = run["results"] or {}
    return EvaluateResponse(
        generations=generations,
        scores={
            name: ScoringResult(score_rows=rows, aggregated_results=together.get(name, {}))
            for name, rows in scores.items()
        },
    )
