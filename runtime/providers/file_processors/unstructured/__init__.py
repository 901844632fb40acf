"""Elements of a document by unstructured, in this server's worker process. https://docs.unstructured.io/open-source"""

from runtime.providers.file_processors._inline.spec import inline_processor

SPEC = inline_processor(
    "unstructured",
    summary="Elements of a document, by unstructured",
    reader="unstructured:read",
    config=".config:UnstructuredConfig",
    packages=("unstructured[all-docs]>=0.21",),
    evidence="unproven",
    evidence_note="its elements are read as those of its API, which a local server answers with",
)
