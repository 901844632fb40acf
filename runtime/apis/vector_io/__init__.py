"""Vector databases, as vector stores use them: six methods over numbered vectors, and nothing else.

A backend knows no text, no attribute and no user. Texts, filters, words and owners are kept once, by the API
`vector_stores` above it, so that every backend has every feature and none has its own version of one. Of a filter, a
backend sees which groups of vectors may be found; each file of a vector store is one group.

No method is mounted over HTTP. Requests name the provider that is to answer them.
"""

from __future__ import annotations

from runtime.apis._api import Api

API = Api(
    "vector_io",
    "runtime.apis.vector_io.protocol:VectorIo",
    in_replay="runtime.recording.exact_vectors:ExactVectors",
)
