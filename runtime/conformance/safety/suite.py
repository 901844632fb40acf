"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.safety.suite import *`."""

from runtime.conformance.fixtures import *  # noqa: F403
from runtime.conformance.safety.test_safety import *  # noqa: F403
