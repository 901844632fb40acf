"""sqlite-vec, in a file."""

from tests.conformance.vector_io.subject import embedded

KIND = embedded("inline::sqlite-vec")
