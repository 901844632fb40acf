"""Which real vendors are asked, and why others are not."""

from __future__ import annotations

from tests.conformance.inference.subject import providers
from tests.conformance.inference.subjects import _live


def pytest_report_header() -> list[str]:
    return _live.plan(providers())
