"""Chroma in this process."""

from tests.conformance.vector_io.subject import embedded

KIND = embedded("inline::chromadb", is_exact=False)
