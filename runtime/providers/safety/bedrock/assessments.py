"""What a guardrail's answer means.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailAssessment.html (read November 2026)

What a word filter, a pattern or a filter for personal data has matched is left out: it is what the guardrail holds
back, of an answer too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.apis.safety.assessing import Assessment
from runtime.providers.safety._user_message import USER_MESSAGE

_OPENAI = {
    "HATE": "hate",
    "INSULTS": "harassment",
    "SEXUAL": "sexual",
    "VIOLENCE": "violence",
    "MISCONDUCT": "illicit",
    "PROMPT_ATTACK": "prompt_attack",  # OpenAI has none for it
}
_CONFIDENCE = {"NONE": 0.0, "LOW": 0.3, "MEDIUM": 0.6, "HIGH": 0.9}
"""Bedrock gives words and no numbers; these keep their order."""
_CERTAIN = 1.0
"""Of what is found by a rule, or without a degree."""


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """One thing that a policy has found. policy: as Bedrock calls it. kind: a filter's type, or the name of a topic or
    pattern. action: what the guardrail does: `BLOCKED`, `ANONYMIZED`, or `NONE` where it only watches.
    """

    policy: str
    kind: str
    category: str
    score: float
    action: str

    @property
    def intervenes(self) -> bool:
        return self.action != "NONE"


def assessment(answer: Mapping[str, Any], looked_at: Sequence[str]) -> Assessment:
    """An answer with an `action`. looked_at: `text` and `image`, as they were sent."""
    findings = [finding for one in _objects(answer.get("assessments")) for finding in _findings(one)]
    flagged = answer["action"] == "GUARDRAIL_INTERVENED"
    told = "\n".join(text for one in _objects(answer.get("outputs")) if isinstance(text := one.get("text"), str))
    masked = [finding.kind for finding in findings if finding.action == "ANONYMIZED"]
    only_masks = flagged and bool(masked) and all(finding.action != "BLOCKED" for finding in findings)
    metadata: dict[str, Any] = {}
    if flagged:
        metadata["violation_type"] = next((one.kind for one in findings if one.intervenes), "unknown")
        metadata["findings"] = [
            {"policy": finding.policy, "type": finding.kind, "action": finding.action}
            for finding in findings
            if finding.intervenes
        ]
        if only_masks:  # the output is the message without what it must not have
            metadata["masked"] = told
            told = f"This has what must not be passed on: {', '.join(dict.fromkeys(masked))}."
        if isinstance(reason := answer.get("actionReason"), str):
            metadata["reason"] = reason
    scores: dict[str, float] = {}
    categories: dict[str, bool] = {}
    for finding in findings:
        scores[finding.category] = max(finding.score, scores.get(finding.category, 0.0))
        categories[finding.category] = finding.intervenes or categories.get(finding.category, False)
    return Assessment(
        flagged=flagged,
        user_message=(told or USER_MESSAGE) if flagged else None,
        categories=categories,
        category_scores=scores,
        category_applied_input_types={category: [*looked_at] for category in categories},
        metadata=metadata,
    )


def not_looked_at(answer: Mapping[str, Any]) -> str:
    """What the guardrail has not looked at, by its own account: `0 of 2 images`. Empty for nothing."""
    coverage = answer.get("guardrailCoverage")
    for name, unit in (("textCharacters", "characters"), ("images", "images")):
        counted = coverage.get(name) if isinstance(coverage, dict) else None
        if isinstance(counted, dict):
            seen, total = counted.get("guarded"), counted.get("total")
            if isinstance(seen, int) and isinstance(total, int) and seen < total:
                return f"{seen} of {total} {unit}"
    return ""


def _findings(one: Mapping[str, Any]) -> Iterator[_Finding]:
    for found in _members(one, "contentPolicy", "filters"):
        kind = str(found.get("type"))
        score = _CONFIDENCE.get(str(found.get("confidence")), 0.0)
        yield _finding("contentPolicy", kind, _OPENAI.get(kind, kind.lower()), score, found)
    for found in _members(one, "topicPolicy", "topics"):
        yield _finding("topicPolicy", str(found.get("name")), "denied_topic", _degree(found), found)
    for name in ("customWords", "managedWordLists"):
        for found in _members(one, "wordPolicy", name):
            kind = str(found.get("type") or "CUSTOM_WORD")
            yield _finding("wordPolicy", kind, kind.lower(), _degree(found), found)
    for name in ("piiEntities", "regexes"):
        for found in _members(one, "sensitiveInformationPolicy", name):
            kind = str(found.get("type") or found.get("name") or "REGEX")
            yield _finding("sensitiveInformationPolicy", kind, "sensitive_information", _degree(found), found)
    for found in _members(one, "contextualGroundingPolicy", "filters"):
        grounded = found.get("score")
        score = 1.0 - min(max(float(grounded), 0.0), 1.0) if isinstance(grounded, int | float) else 0.0
        kind = str(found.get("type"))
        yield _finding("contextualGroundingPolicy", kind, f"not_{kind.lower()}", score, found)
    for found in _members(one, "automatedReasoningPolicy", "findings"):
        kind = next(iter(found), "")
        yield _Finding(
            policy="automatedReasoningPolicy", kind=kind, category="automated_reasoning", score=0.0, action="NONE"
        )


def _finding(policy: str, kind: str, category: str, score: float, found: Mapping[str, Any]) -> _Finding:
    return _Finding(policy=policy, kind=kind, category=category, score=score, action=str(found.get("action") or "NONE"))


def _degree(found: Mapping[str, Any]) -> float:
    """Of a filter that says yes or no. An answer with everything also has what was not detected."""
    return 0.0 if found.get("detected") is False else _CERTAIN


def _members(one: Mapping[str, Any], policy: str, name: str) -> Iterator[Mapping[str, Any]]:
    found = one.get(policy)
    return _objects(found.get(name) if isinstance(found, dict) else None)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield each
