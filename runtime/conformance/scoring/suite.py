"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.scoring.suite import *`."""

from runtime.conformance.fixtures import *  # noqa: F403
from runtime.conformance.scoring.test_scoring import *  # noqa: F403
