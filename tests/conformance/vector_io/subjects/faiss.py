"""FAISS, with its files."""

from runtime.conformance.vector_io.subject import embedded
from tests.conformance.vector_io.subject import built_in

KIND = embedded(built_in("inline::faiss"))
