"""What every provider's chat completions are when they were kept."""

from __future__ import annotations

from runtime.conformance.inference.fixtures import *  # noqa: F403
from runtime.conformance.inference.test_stored import *  # noqa: F403
from tests.conformance.inference.subject import found

SUBJECTS = found()
