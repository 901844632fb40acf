"""Findings as SARIF 2.1.0, which code hosts show beside the lines that they are about.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, and of what may be left out there, what GitHub
requires: https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_cli.configs.checks import Checked, Finding, Kind
from runtime import __version__

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES: Mapping[Kind, tuple[str, str, str]] = {
    "invalid": (
        "error",
        "A server cannot start with this run config.",
        "`llama stack validate FILE` tells every problem of a file at once, with the nearest valid names.",
    ),
    "unset-variable": (
        "warning",
        "A variable that a server needs is not set where the run config was checked.",
        "Set it where the server runs, or give it a default: `${env.X:=default}`. `llama stack env FILE` lists all.",
    ),
    "warning": (
        "note",
        "A setting has an older name, or no effect.",
        "The file works as it is. Use the newer name, or remove what has no effect.",
    ),
}
"""By kind: the level of a finding, what all findings of it have in common, and what to do."""


def sarif(checked: Sequence[Checked]) -> dict[str, Any]:
    """One run of the tool over all files."""
    rules = [_rule(kind, *about) for kind, about in _RULES.items()]
    driver = {"name": "llama stack validate", "semanticVersion": __version__, "rules": rules}
    results = [_result(finding, each.shown) for each in checked for finding in each.findings]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _rule(kind: Kind, level: str, meaning: str, remedy: str) -> dict[str, Any]:
    texts = {"shortDescription": meaning, "fullDescription": meaning, "help": remedy}
    return {"id": kind, "defaultConfiguration": {"level": level}} | {
        name: {"text": text} for name, text in texts.items()
    }


def _result(finding: Finding, shown: str) -> dict[str, Any]:
    problem = finding.problem
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    place = {
        "artifactLocation": {"uri": _uri(problem.file or shown)},
        "region": {"startLine": problem.line or 1},  # GitHub takes no location without one
    }
    return {
        "ruleId": finding.kind,
        "ruleIndex": list(_RULES).index(finding.kind),
        "level": _RULES[finding.kind][0],
        "message": {"text": f"{text} ({problem.hint})" if problem.hint else text},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    """Relative to the current folder where the file is in it, which is where a code host looks."""
    from urllib.parse import quote

    path = Path(os.path.abspath(file))  # noqa: PTH100  # a link stays what it is called
    if not path.exists():
        return quote(os.fsencode(file))
    here = Path.cwd()
    return quote(os.fsencode(path.relative_to(here))) if path.is_relative_to(here) else path.as_uri()
