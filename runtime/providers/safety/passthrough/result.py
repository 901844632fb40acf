"""The result of a moderation, as https://platform.openai.com/docs/api-reference/moderations/object documents it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from runtime.apis.safety.assessing import Assessment
from runtime.errors import UpstreamError
from runtime.providers.safety._user_message import USER_MESSAGE
from runtime.sse import Json

_BY_CATEGORY = ("categories", "category_scores", "category_applied_input_types")


def assessment_of(answer: Json, *, provider_id: str) -> Assessment:
    """What is said of the one input. answer: with a list of objects as `results`. A user message and metadata are there
    where the server is a Llama Stack. Raises UpstreamError for what is no result.
    """
    if len(answer["results"]) != 1:
        raise UpstreamError(
            f"`{provider_id}` gave {len(answer['results'])} results for one input", provider_id=provider_id
        )
    [result] = answer["results"]
    try:
        return _assessment(result)
    except (ValidationError, TypeError, AttributeError) as error:
        raise UpstreamError(f"`{provider_id}` gave a result that makes no sense", provider_id=provider_id) from error


def _assessment(result: Mapping[str, Any]) -> Assessment:
    """Raises ValidationError, TypeError or AttributeError."""
    flagged = result.get("flagged")
    if not isinstance(flagged, bool):
        raise TypeError("`flagged` is no boolean")
    # Of categories that an older model does not know, the values are null.
    known = {
        name: {category: value for category, value in (result.get(name) or {}).items() if value is not None}
        for name in _BY_CATEGORY
    }
    metadata = dict(result.get("metadata") or {})
    if kinds := ",".join(category for category, is_flagged in known["categories"].items() if is_flagged):
        metadata.setdefault("violation_type", kinds)
    return Assessment.model_validate(
        {
            "flagged": flagged,
            "user_message": (result.get("user_message") or USER_MESSAGE) if flagged else None,
            "metadata": metadata if flagged else {},
            **known,
        }
    )
