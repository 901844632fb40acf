"""A report for whoever is asked for help: versions, findings, run configs, last log lines, without what is private.

Secrets are masked; the user's name, the machine's and the home folder are replaced. Markdown, as issue trackers show
it.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from llama_cli.checkup.findings import Finding, Patient
from llama_cli.failures import without_secrets
from llama_cli.servers import log, records
from llama_cli.terminal.markdown_table import table
from llama_cli.welcome import version_facts
from runtime.config.home import expanded
from runtime.errors import StackError
from runtime.redaction import MASK
from runtime.stdio import one_line, well_formed

_LINES = 20
_LEAST_SECRET = 4
_HOMES = re.compile(r"(/(?:home|Users)/)[^/\s:'\"`]+")
_KEYS = re.compile(r"\b(?:(?:sk|gsk|hf|xai|pplx|nvapi|fw|csk|tgp|r8|jina|pa)[-_][\w-]{12,}|AIza[\w-]{30,}|AKIA\w{12,})")
"""As vendors' keys look: one that came from a file of variables is none of ours to know."""
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_NO_NAMES = {"root", "user", "admin", "llama", "localhost", "ubuntu", "runner"}
"""Names that say nothing of a person or a machine, and are words elsewhere."""


def markdown(found: Sequence[Finding]) -> str:
    """The findings as a table, what is wrong first."""
    order = {"error": 0, "warning": 1, "ok": 2}
    rows = []
    for one in sorted(found, key=lambda one: order[one.level]):
        fix = f"`{one.fix}`" if one.fix and "`" not in one.fix else one.fix or ""
        rows.append((one.level, f"`{one.id}`", one.about, one.message, one.cause or "", fix))
    return table(("", "what", "about", "found", "cause", "fix"), rows) + "\n"


def report(patient: Patient, found: Sequence[Finding]) -> str:
    """All of it, scrubbed."""
    facts = version_facts()
    parts = [
        "# Llama Stack: report of `llama doctor`\n",
        "".join(f"- {name}: {value or 'unknown'}\n" for name, value in facts.items()),
        f"- system: {platform.system()} {platform.release()} {platform.machine()}\n",
        f"\n## Findings\n\n{markdown(found)}",
    ]
    secrets: list[str] = []
    for name, text in _configs(patient, secrets):
        parts.append(f"\n## Run config of `{name}`\n\n```yaml\n{_fenced(text)}\n```\n")
    for name, lines in _logs():
        parts.append(f"\n## Last lines of `{name}`\n\n```\n{_fenced(chr(10).join(lines))}\n```\n")
    return scrubbed("".join(parts), secrets)


def scrubbed(text: str, secrets: Iterable[str] = ()) -> str:
    """Without secrets, of the environment and those that are given, and without names of people and machines."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, MASK)
    text = _BEARER.sub(rf"\1 {MASK}", _KEYS.sub(MASK, without_secrets(text)))
    home = str(expanded("~"))
    if home not in ("/", "~"):
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    text = _HOMES.sub(r"\1USER", text)
    host = socket.gethostname()
    users = {_user(), Path(home).name, os.environ.get("SUDO_USER", "")}
    names = [(name, "USER") for name in users] + [(host, "HOST"), (host.partition(".")[0], "HOST")]
    for name, stands_for in names:
        if len(name) > 2 and name.lower() not in _NO_NAMES:
            text = re.sub(rf"(?i)(?<![\w-]){re.escape(name)}(?![\w-])", stands_for, text)
    return well_formed(text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in the system's list
        return ""


def _configs(patient: Patient, secrets: list[str]) -> Iterator[tuple[str, str]]:
    """The run configs as `llama stack show` prints them. Adds to `secrets` those that stand in them."""
    from llama_cli.checkup.configs import run_config
    from runtime.config.run_config import redacted
    from runtime.config.secret_values import secrets_in
    from runtime.config.yaml_text import as_yaml

    for each in patient.distributions:
        try:
            run = run_config(each, patient.environment)
        except StackError as problem:
            yield each.name, f"# {one_line(problem.message)}"
            continue
        secrets += secrets_in(run)
        yield each.name, as_yaml(redacted(run)).rstrip("\n")


def _logs() -> Iterator[tuple[str, list[str]]]:
    for record in records.records():
        if record.log_file and Path(record.log_file).is_file():
            yield record.id, log.last_lines(Path(record.log_file), _LINES)


def _fenced(text: str) -> str:
    """Nothing in it ends the block that it stands in."""
    return text.replace("```", "'''")
