"""Office documents as Markdown, by markitdown, and EPUB. https://github.com/microsoft/markitdown"""

from runtime.providers.file_processors._inline.spec import MARKITDOWN_PACKAGES, inline_processor
from runtime.spec import live

SPEC = inline_processor(
    "markitdown",
    summary="DOCX, PPTX, XLSX, EPUB and text, by markitdown",
    reader="auto:text_or_office",
    config="runtime.providers.file_processors._service.config:ProcessorConfig",
    packages=MARKITDOWN_PACKAGES,
    evidence=live("real documents, and a corpus of hostile ones, made by the tests"),
)
