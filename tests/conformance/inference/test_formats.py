"""Answers of a form at every provider that claims it."""

from __future__ import annotations

from runtime.conformance.inference.fixtures import *  # noqa: F403
from runtime.conformance.inference.test_formats import *  # noqa: F403
from tests.conformance.inference.subject import found

SUBJECTS = found()
