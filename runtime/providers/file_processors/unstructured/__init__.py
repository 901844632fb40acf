"""Elements of a document by unstructured, in this server's worker process. https://docs.unstructured.io/open-source

It tells sentences apart with spaCy's model `en_core_web_sm`, which is in none of its packages: put its wheel among
`additional_pip_packages` (https://spacy.io/models/en). What it wants for PDF and images is downloaded at first use,
which our process that reads documents does not allow.
"""

from runtime.providers.file_processors._inline.spec import inline_processor
from runtime.spec import unproven

SPEC = inline_processor(
    "unstructured",
    summary="Elements of a document, by unstructured",
    reader="unstructured:read",
    config=".config:UnstructuredConfig",
    is_recorded=True,
    packages=("unstructured[all-docs]>=0.27",),
    evidence=unproven("unstructured 0.27 was tried by hand on text, HTML and DOCX; the tests are without its packages"),
)
