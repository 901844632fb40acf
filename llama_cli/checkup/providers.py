"""Whether each provider can be reached, with the key that is configured: a real call of each.

A server that runs is asked, since it has its own variables; otherwise the distribution's interpreter asks.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from llama_cli.asking import ask
from llama_cli.asking.address import address_of
from llama_cli.checkup.findings import Check, Distribution, Finding, Level, Patient, error, ok, warning
from llama_cli.exits import Failure
from llama_cli.programs import answer_of
from llama_cli.servers.condition import provider_health
from llama_cli.servers.records import UNREADABLE, Record
from runtime import __version__
from runtime.clock import wall_time
from runtime.errors import StackError

_LIMIT_S = 45.0
_SERVER_LIMIT_S = 20.0
_CLOCK_S = 60.0

_OUTCOMES: Mapping[str, tuple[Level, str]] = {
    "ok": ("ok", "answers"),
    "slow": ("warning", "is slow"),
    "no_models": ("warning", "answers, and has no models"),
    "not_asked": ("ok", "has nothing that can be asked without cost"),
    "needs_key": ("warning", "has no key"),
    "refused_key": ("error", "refuses the key"),
    "unreachable": ("error", "is not reached"),
    "timed_out": ("error", "does not answer in time"),
    "failed": ("error", "does not work"),
}
"""What `runtime.admin providers` says, how bad that is, and in words."""

_STATES: Mapping[str, tuple[str, Level, str]] = {
    "ok": ("ok", "ok", "is well"),
    "loading": ("loading", "ok", "is still loading"),
    "needs_key": ("needs-key", "warning", "has no key"),
    "error": ("failed", "error", "does not work"),
    "not_implemented": ("not-asked", "ok", "has nothing that can be asked without cost"),
}
"""The same for what a server says of its providers."""

_Ask = Callable[[], Iterator[Finding]]


def providers(patient: Patient) -> Iterator[Finding]:
    """Of each server that is named or runs, and of each distribution that is built and does not run."""
    asks: list[_Ask] = []
    if patient.url is not None:
        running = {server.url for each in patient.distributions for server in each.servers}
        asks.append(partial(_of_given, patient.url, running))
    for each in patient.distributions:
        asks += [partial(_of_record, server, about=each.name) for server in each.servers]
        if not each.servers:
            asks.append(partial(_of_distribution, each, patient.environment))
    found: queue.SimpleQueue[list[Finding] | Exception] = queue.SimpleQueue()
    for one in asks:  # all at once: one that does not answer keeps no other back
        threading.Thread(target=_collect, args=(one, found), daemon=True).start()
    for _ in asks:
        told = found.get()
        if isinstance(told, Exception):
            raise told
        yield from told


def _collect(one: _Ask, found: queue.SimpleQueue[list[Finding] | Exception]) -> None:
    try:
        found.put(list(one()))
    except Exception as problem:
        found.put(problem)


def _of_record(server: Record, *, about: str) -> Iterator[Finding]:
    if server.url and server.can_be_asked:
        yield from _of_server(server.url, about=about, name=server.id)
    elif server.state != UNREADABLE:  # which is said by the check of records
        said = f"`{server.id}` is {server.state}, and is asked once it is ready"
        yield ok("server/not-ready", said, about=about, cause=server.explanation, fix=f"llama stack wait {server.id}")


def _of_given(given: str, running: Collection[str | None]) -> Iterator[Finding]:
    """Of a server by its address or its name; nothing of one that runs here, which is asked without."""
    try:
        url = address_of(given)
    except (StackError, Failure) as problem:
        cause = f"`LLAMA_STACK_URL` is `{given}`, and every command that asks a server asks this one"
        yield error("server/unreachable", problem.message, about=given, cause=cause, fix=problem.hint)
        return
    if url not in running:
        yield from _of_server(url, about=given)


def _of_server(url: str, *, about: str, name: str | None = None) -> Iterator[Finding]:
    """name: by which commands know it, where it is one of this machine's."""
    shown = name or url
    try:
        with ask.request(url, "/v1/version", timeout_s=_SERVER_LIMIT_S) as reply:
            facts = reply.json()
            yield from _clock_of(dict(reply.headers).get("date"), about)
        rows = provider_health(url, timeout_s=_SERVER_LIMIT_S)
    except Failure as failure:
        kind = "refused" if isinstance(failure, ask.Refusal) else "unreachable"
        said = f"`{name}`: {failure.message}" if name else failure.message
        yield error(f"server/{kind}", said, about=about, fix=failure.hint)
        return
    version = facts.get("version") if isinstance(facts, dict) else None
    if version != __version__:
        said = f"`{shown}` is of version {version or 'unknown'}, and this command line of {__version__}"
        yield warning("server/version", said, about=about, fix=f"llama stack restart {name}" if name else None)
    else:
        yield ok("server/ok", f"`{shown}` answers at {url}", about=about)
    for row in rows:
        if str(row["provider_type"]).startswith("inline::") and row["status"] in ("ok", "not_implemented"):
            continue
        unknown: tuple[str, Level, str] = ("unknown", "warning", f"is in the state `{row['status']}`, unknown to us")
        kind, level, words = _STATES.get(row["status"], unknown)
        said = f"`{row['provider_id']}` ({row['provider_type']}) of `{shown}` {words}"
        fix = f"llama stack logs {name} --level warning" if level == "error" and name else None
        yield Finding(id=f"providers/{kind}", level=level, message=said, about=about, cause=row["message"], fix=fix)


def _clock_of(date: str | None, about: str) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return
    apart = abs(wall_time() - theirs.replace(tzinfo=theirs.tzinfo or UTC).timestamp())
    if apart > _CLOCK_S:
        said = f"the server's clock and this one are {apart:.0f} s apart"
        yield warning("clock/apart", said, about=about, cause="one of the two is wrong", fix="set it, or start NTP")


def _of_distribution(each: Distribution, environment: Mapping[str, str]) -> Iterator[Finding]:
    from runtime.config.home import config_of

    again = f"llama stack build {each.target}"
    if each.python is None or not each.python.exists():
        said = f"the providers of `{each.name}` are asked once it is built"
        yield ok("providers/not-built", said, about=each.name, fix=again)
        return
    config = config_of(each.folder) if each.folder else None
    if config is None or not config.is_file():
        return  # said by the checks of run configs
    command = [str(each.python), "-I", "-m", "runtime.admin", "providers", str(config)]
    try:
        answer = answer_of(command, limit_s=_LIMIT_S, environment=environment)
    except subprocess.TimeoutExpired:
        said = f"the providers of `{each.name}` did not answer within {_LIMIT_S:.0f} s"
        yield error("providers/timed-out", said, about=each.name, fix=f"llama stack run {each.target}")
        return
    except OSError:
        return  # said by the checks of environments
    if answer.returncode == 3:
        return  # said by the checks of run configs
    try:
        rows: list[dict[str, Any]] = json.loads(answer.stdout)["providers"]
    except (ValueError, KeyError, TypeError):
        last = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        said = f"the providers of `{each.name}` could not be asked"
        yield warning("providers/unknown", said, about=each.name, cause=last, fix=again)
        return
    for row in rows:
        level, words = _OUTCOMES.get(row["outcome"], ("warning", row["outcome"]))
        took = f" in {row['seconds']:.1f} s" if row["outcome"] in ("ok", "slow") else ""
        count = f", {row['models']} models" if row["models"] else ""
        said = f"`{row['provider_id']}` ({row['provider_type']}) of `{each.name}` {words}{took}{count}"
        kind = row["outcome"].replace("_", "-")
        fix = None if level == "ok" else f"llama stack env {each.target}"
        yield Finding(id=f"providers/{kind}", level=level, message=said, about=each.name, cause=row["message"], fix=fix)
    if not rows:
        yield ok("providers/none", f"`{each.name}` has no remote provider that is on", about=each.name)


CHECKS = (Check(name="providers", ask=providers, limit_s=60),)
