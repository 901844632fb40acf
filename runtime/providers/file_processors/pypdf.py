"""PDF and text: pypdf's text, page by page. https://pypdf.readthedocs.io"""

from runtime.providers.file_processors._inline.spec import PYPDF_PACKAGES, inline_processor
from runtime.spec import live

SPEC = inline_processor(
    "pypdf",
    summary="Text of PDF and text files, by pypdf",
    reader="auto:text_or_pdf",
    config="runtime.providers.file_processors._service.config:ProcessorConfig",
    packages=(*PYPDF_PACKAGES, "charset-normalizer>=3.4"),
    evidence=live("real documents, and a corpus of hostile ones, made by the tests"),
)
