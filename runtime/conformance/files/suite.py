"""All of it, for a module that states its `SUBJECTS`: `from runtime.conformance.files.suite import *`."""

from runtime.conformance.files.fixtures import *  # noqa: F403
from runtime.conformance.files.test_files import *  # noqa: F403
from runtime.conformance.files.test_uploads import *  # noqa: F403
