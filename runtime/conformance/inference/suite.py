"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.inference.suite import *`."""

from runtime.conformance.inference.fixtures import *  # noqa: F403
from runtime.conformance.inference.test_formats import *  # noqa: F403
from runtime.conformance.inference.test_inference import *  # noqa: F403
from runtime.conformance.inference.test_stored import *  # noqa: F403
from runtime.conformance.inference.test_tools import *  # noqa: F403
