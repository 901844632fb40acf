"""The code scanner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis._request import Registered
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.errors import TooLarge
from runtime.parsing.settings import checked_settings
from runtime.provider import ProviderContext
from runtime.providers.safety._last_message import text_to_judge, told
from runtime.providers.safety.code_scanner.bandit import SEVERITIES, Bandit, Finding
from runtime.providers.safety.code_scanner.blocks import Block, blocks_in
from runtime.providers.safety.code_scanner.config import CodeScannerConfig, CodeScannerParams

_INSECURE, _UNREAD = "insecure-code", "unread-code"
_MOST_CHARS = 1_000_000
_MOST_BLOCKS = 100
_MOST_SHOWN = 20


class CodeScannerSafety:
    """Flags a message with insecure Python in its fenced blocks, or that is Python itself. Code within a sentence is
    not looked at.

    Raises RequestError for parts that are not text, for wrong `params` and for code that is too much to scan,
    Unavailable where Bandit does not work.
    """

    def __init__(self, config: CodeScannerConfig, context: ProviderContext) -> None:
        self._config = config
        self._bandit = Bandit(config)

    async def check_registration(self, resource: Registered) -> None:
        checked_settings(resource.facts.get("params") or {}, CodeScannerParams)

    async def assess(self, request: AssessRequest) -> Assessment:
        """Raises TooLarge for more code than is scanned at once, and what the class says."""
        least = SEVERITIES.index(told(request, CodeScannerParams).severity or self._config.severity)
        text = text_to_judge(request)
        if len(text) > _MOST_CHARS:
            raise TooLarge(f"There are {len(text)} characters to scan, of at most {_MOST_CHARS}", param="messages")
        blocks = blocks_in(text)
        if len(blocks) > _MOST_BLOCKS:
            raise TooLarge(f"There are {len(blocks)} blocks of code, of at most {_MOST_BLOCKS}", param="messages")
        scanned = [block for block in blocks if block.may_be_python]
        scan = await self._bandit.scan([block.code for block in scanned])
        found = [one for one in scan.findings if SEVERITIES.index(one.severity) >= least]
        unread = [block for place, block in enumerate(scanned) if place in scan.unread and not block.is_whole_text]
        unread += [block for block in blocks if block.is_code and not block.may_be_python]
        is_flagged = bool(found)
        is_told = bool(unread) and self._config.unread_code == "flag"
        return Assessment(
            flagged=is_flagged or is_told,
            violation_level="error" if is_flagged or not is_told else "warn",
            user_message=_words(is_flagged, is_told),
            categories={_INSECURE: is_flagged, _UNREAD: is_told},
            category_applied_input_types={_INSECURE: ["text"], _UNREAD: ["text"]},
            metadata=_metadata(found, scanned, unread),
        )


def _words(is_flagged: bool, is_told: bool) -> str | None:
    if is_flagged:
        return "The code has security problems."
    return "There is code here that could not be checked." if is_told else None


def _metadata(found: Sequence[Finding], scanned: Sequence[Block], unread: Sequence[Block]) -> dict[str, Any]:
    said: dict[str, Any] = {"finder": "bandit"}
    if found or unread:
        said["violation_type"] = _INSECURE if found else _UNREAD
    if found:
        said["findings"] = [_shown(one, scanned[one.block]) for one in found[:_MOST_SHOWN]]
        said["findings_in_all"] = len(found)
    if unread:
        said["unread"] = [{"language": one.language or "unknown", "line": one.first_line} for one in unread]
    return said


def _shown(finding: Finding, block: Block) -> dict[str, Any]:
    """line: in the message's text, from 1."""
    return {
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "cwe": finding.cwe,
        "line": block.first_line + finding.line - 1,
        "message": finding.message,
    }
