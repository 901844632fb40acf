"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.tool_runtime.suite import *`."""

from runtime.conformance.fixtures import *  # noqa: F403
from runtime.conformance.tool_runtime.test_tool_runtime import *  # noqa: F403
