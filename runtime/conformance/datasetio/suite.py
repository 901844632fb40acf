"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.datasetio.suite import *`."""

from runtime.conformance.datasetio.fixtures import *  # noqa: F403
from runtime.conformance.datasetio.test_datasetio import *  # noqa: F403
from runtime.conformance.datasetio.test_filters import *  # noqa: F403
from runtime.conformance.datasetio.test_versions import *  # noqa: F403
