"""Any document: what it is decides who reads it, never its name alone. No key, no network service.

Text, Markdown, HTML, EPUB, CSV and JSON are read by ourselves, PDF by pypdf, DOCX, PPTX and XLSX by markitdown, images
where tesseract is installed.
"""

from runtime.providers.file_processors._inline.spec import MARKITDOWN_PACKAGES, PYPDF_PACKAGES, inline_processor
from runtime.spec import live

SPEC = inline_processor(
    "auto",
    summary="Text, Markdown, HTML, CSV, JSON, PDF, DOCX, PPTX, XLSX and EPUB, chosen by content",
    reader="auto:read",
    config=".config:AutoConfig",
    packages=(*PYPDF_PACKAGES, *MARKITDOWN_PACKAGES),
    evidence=live("real documents, and a corpus of hostile ones, made by the tests"),
)
