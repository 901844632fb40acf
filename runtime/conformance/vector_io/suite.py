"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.vector_io.suite import *`."""

from runtime.conformance.vector_io.fixtures import *  # noqa: F403
from runtime.conformance.vector_io.test_vector_io import *  # noqa: F403
