"""Evaluations that the stack makes itself, of a model at a vendor that repeats what it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from runtime.conformance.eval.subject import Subject
from runtime.conformance.stacks import run_config
from runtime.conformance.subjects import Kind
from runtime.conformance.upstream import Upstream, upstream_server
from tests.conformance.eval.asking import MODEL, Held, Repeating, rows
from tests.support.stacks import openai_at

SECRET = "sk-configured-secret"
FUNCTION = "basic::equality"
ROWS = rows(3)


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with upstream_server() as vendor:
        vendor.misbehaves = Repeating()
        holding = Holding(vendor)
        providers = {
            "inference": [openai_at(vendor.url)],
            "datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
            "scoring": [{"provider_id": "basic", "provider_type": "inline::basic"}],
            "eval": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
        }
        source = {"type": "rows", "rows": ROWS}
        dataset = {"dataset_id": "rows", "purpose": "eval/question-answer", "source": source}
        yield Subject(
            run_config=run_config(providers=providers, registered_resources={"datasets": [dataset]}, persistent=True),
            benchmark={"dataset_id": "rows", "scoring_functions": [FUNCTION]},
            candidate={"type": "model", "model": MODEL},
            secret=SECRET,
            rows=ROWS,
            functions=[FUNCTION],
            wrong={},
            hold=holding.hold,
            let=holding.let,
            fail=holding.fail,
        )


class Holding:
    """What the vendor does from now on."""

    def __init__(self, vendor: Upstream) -> None:
        self._vendor = vendor
        self._held = Held(free=0)

    def hold(self) -> None:
        self._vendor.misbehaves = self._held

    def let(self) -> None:
        self._held.let()

    def fail(self) -> None:
        self._vendor.misbehaves = Repeating(before=refused)


def refused(text: str) -> web.StreamResponse:
    return web.json_response({"error": {"message": f"never with {SECRET}"}}, status=400)


ABILITIES = frozenset({"rows", "given", "refuses", "holds", "fails"})
SUBJECTS = {"model": Kind(make=subject, abilities=ABILITIES)}
