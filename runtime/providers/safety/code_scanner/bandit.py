"""Bandit, in a process of its own for each scan: with limits of time and memory, without our environment. It parses the
code and executes none of it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import RequestError, Unavailable
from runtime.providers.safety.code_scanner.config import CodeScannerConfig, Severity
from runtime.temporary import writing_temporary
from runtime.to_the_end import to_the_end

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high")
_START = """
import contextlib, runpy, sys
memory_bytes, cpu_s = int(sys.argv.pop(1)), int(sys.argv.pop(1))
with contextlib.suppress(ImportError, ValueError, OSError):
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
runpy.run_module("bandit", run_name="__main__", alter_sys=True)
"""
_ARGUMENTS = ("--format", "json", "--quiet", "--exit-zero", "--ignore-nosec", "--number", "1")
"""Bandit's; a comment in the code is not to turn it off."""
_ENVIRONMENT = {"PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """block: which of those that were scanned. line: in it, from 1. rule: Bandit's, such as `B307`. cwe: its number in
    the Common Weakness Enumeration; None where it has none.
    """

    block: int
    line: int
    rule: str
    name: str
    severity: Severity
    confidence: str
    cwe: int | None
    message: str


@dataclass(frozen=True, kw_only=True)
class Scan:
    """unread: which blocks are no Python."""

    findings: tuple[Finding, ...]
    unread: frozenset[int]


class Bandit:
    """Raises RequestError for code that takes too long or too much memory to scan, and Unavailable where Bandit does
    not work.
    """

    def __init__(self, config: CodeScannerConfig) -> None:
        self._config = config
        self._places = asyncio.Semaphore(config.at_once)

    async def scan(self, codes: Sequence[str]) -> Scan:
        """What it finds in blocks of code that may be Python."""
        if not codes:
            return Scan(findings=(), unread=frozenset())
        async with self._places:
            with writing_temporary(), tempfile.TemporaryDirectory(prefix="llama-code-") as folder:
                files = await asyncio.to_thread(_write, Path(folder), codes)
                return _read(await self._run(folder, files))

    async def _run(self, folder: str, files: Sequence[str]) -> bytes:
        limits = (str(self._config.memory_mb * 1024 * 1024), str(int(self._config.timeout_s) + 1))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _START, *limits, *_ARGUMENTS, *files),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env=_ENVIRONMENT | {"HOME": folder, "XDG_CACHE_HOME": folder},
        )
        try:
            async with asyncio.timeout(self._config.timeout_s):
                output, errors = await process.communicate()
        except TimeoutError:
            raise _too_much(f"takes longer than {self._config.timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await to_the_end(process.wait())
        code = process.returncode
        if code == 0 or code is None:
            return output
        said = errors.decode(errors="replace").strip().rpartition("\n")[2]
        if code == -signal.SIGXCPU:
            raise _too_much(f"takes longer than {self._config.timeout_s:g} s")
        if code < 0:
            raise _too_much(f"makes Bandit crash ({signal.Signals(-code).name})")
        if "MemoryError" in said:
            raise _too_much(f"takes more than {self._config.memory_mb} MiB")
        raise Unavailable(f"Bandit does not work: {said or f'it ended with {code}'}")


def _too_much(what: str) -> RequestError:
    return RequestError(f"The code cannot be scanned: it {what}", hint="send less of it", param="messages")


def _write(folder: Path, codes: Sequence[str]) -> list[str]:
    names = [f"{place}.py" for place in range(len(codes))]
    for name, code in zip(names, codes, strict=True):
        (folder / name).write_bytes(code.encode(errors="replace"))
    return names


def _read(output: bytes) -> Scan:
    """What Bandit says, as `bandit/formatters/json.py` writes it."""
    try:
        said: dict[str, Any] = json.loads(output)
        findings = tuple(map(_finding, said["results"]))
        unread = frozenset(int(Path(error["filename"]).stem) for error in said["errors"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"Bandit's answer makes no sense: {error!r}") from error
    return Scan(findings=findings, unread=unread)


def _finding(said: dict[str, Any]) -> Finding:
    severity = said["issue_severity"].lower()
    return Finding(
        block=int(Path(said["filename"]).stem),
        line=said["line_number"],
        rule=said["test_id"],
        name=said["test_name"],
        severity=severity if severity in SEVERITIES else "low",
        confidence=said["issue_confidence"].lower(),
        cwe=(said.get("issue_cwe") or {}).get("id"),
        message=said["issue_text"],
    )
