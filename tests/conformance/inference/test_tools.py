"""Calls of functions at every provider that claims them."""

from __future__ import annotations

from runtime.conformance.inference.fixtures import *  # noqa: F403
from runtime.conformance.inference.test_tools import *  # noqa: F403
from tests.conformance.inference.subject import found

SUBJECTS = found()
