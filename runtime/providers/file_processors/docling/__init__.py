"""Layout, tables and OCR by docling, in this server's worker process. https://docling-project.github.io/docling

Its models for PDF and OCR are not in its packages: `DOCLING_ARTIFACTS_PATH` names the folder where you have put them
(`docling-tools models download`). Other formats need none.
"""

from runtime.providers.file_processors._inline.spec import inline_processor
from runtime.spec import NoEffect, unproven

SPEC = inline_processor(
    "docling",
    summary="Layout, tables and OCR, by docling (1.4 GB of packages)",
    reader="docling:read",
    config=".config:DoclingConfig",
    older={"vlm_preset": NoEffect("it is of `vlm_model`, which is not supported")},
    is_recorded=True,
    packages=("docling>=2.100",),
    evidence=unproven("docling 2.143 was tried by hand on HTML, CSV and DOCX; the tests are without its packages"),
)
