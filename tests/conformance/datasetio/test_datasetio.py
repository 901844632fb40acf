"""What every provider of datasets promises, asked of those that come with us."""

from runtime.conformance.datasetio.suite import *  # noqa: F403
from tests.conformance.datasetio.subject import found

SUBJECTS = found()
