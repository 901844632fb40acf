"""FAISS, with its files."""

from tests.conformance.vector_io.subject import embedded

KIND = embedded("inline::faiss")
