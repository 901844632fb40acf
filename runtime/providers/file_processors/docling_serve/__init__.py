"""Docling Serve: documents read with a look at their layout, tables and images, by a server of yours.
https://docling-project.github.io/docling/usage/api_server/rest_api/ (read November 2026)
"""

from runtime.providers.file_processors._inline.spec import CHUNKING_PACKAGES
from runtime.spec import remote, wire

SPEC = remote(
    "docling-serve",
    summary="Layout, tables and OCR by a Docling Serve",
    adapter=".adapter:DoclingServeFileProcessor",
    config=".config:DoclingServeConfig",
    packages=CHUNKING_PACKAGES,
    may_use=("files",),
    enabled_by="DOCLING_SERVE_URL",
    sample_config={
        "base_url": "${env.DOCLING_SERVE_URL:=http://localhost:5001}",
        "api_key": "${env.DOCLING_SERVE_API_KEY:=}",
    },
    evidence=wire(
        "a local server that checks the documented requests and answers with documents of docling's own form;"
        " a real docling-serve 1.38 took the requests, tried by hand without its models"
    ),
)
