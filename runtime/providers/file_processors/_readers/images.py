"""The text in an image, by tesseract (https://tesseract-ocr.github.io), where that program is installed."""

from __future__ import annotations

import shutil
import subprocess
from typing import BinaryIO

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.plain import paragraphs
from runtime.providers.file_processors._readers.reading import Reading
from runtime.providers.file_processors._readers.refusals import invalid, unsupported

PROGRAM = "tesseract"
_LANGUAGES = "eng"


def read(file: BinaryIO, reading: Reading) -> Document:
    """Raises RequestError if the program or a language is missing, or the image cannot be read."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise unsupported(
            "This is an image, whose text is read only where an OCR engine is", hint=f"install `{PROGRAM}` beside it"
        )
    languages = "+".join(reading.settings.get("languages") or [_LANGUAGES])
    done = subprocess.run([program, "stdin", "stdout", "-l", languages], stdin=file, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        if any(line.startswith("Failed loading language") for line in said):
            hint = f"install them for `{PROGRAM}`, or name others as `languages` in the run config"
            raise unsupported(f"This is an image, and not all of `{languages}` is there to read it", hint=hint)
        # What comes first is the decoder's; the last line says only that something was wrong.
        raise invalid("The image", said[0] if said else f"{PROGRAM} ended with {done.returncode}")
    text = done.stdout.decode(errors="replace").replace("\f", "\n\n")
    blocks = [Block(kind="paragraph", text=part, page=1) for part in paragraphs(text)]
    return Document(blocks=tuple(blocks), page_count=1, metadata={"extraction_method": "ocr"})
