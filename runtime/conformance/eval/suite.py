"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.eval.suite import *`."""

from runtime.conformance.eval.fixtures import *  # noqa: F403
from runtime.conformance.eval.test_eval import *  # noqa: F403
from runtime.conformance.eval.test_rows import *  # noqa: F403
