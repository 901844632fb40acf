"""What is said where the text of an image cannot be read: whose fault it is."""

from __future__ import annotations

import io
import subprocess

import pytest

from runtime.errors import RequestError
from runtime.providers.file_processors._readers import images
from runtime.providers.file_processors._readers.reading import Reading

SAID = {
    "language": ("Error opening data file /usr/share/xyz.traineddata", "Failed loading language 'xyz'"),
    "image": ("read error in memio_png_read_data", "Error during processing."),
}


@pytest.mark.parametrize(("what", "code"), [("language", "unsupported_document"), ("image", "invalid_document")])
def test_a_language_that_is_not_there_is_no_fault_of_the_image(
    what: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tesseract 5 says."""
    done = subprocess.CompletedProcess([], 1, b"", "\n".join(SAID[what]).encode())
    monkeypatch.setattr("shutil.which", lambda name: f"/{name}")
    monkeypatch.setattr("subprocess.run", lambda *words, **options: done)
    with pytest.raises(RequestError) as refused:
        images.read(io.BytesIO(), Reading(settings={"languages": ["xyz"]}))
    assert refused.value.code == code
    assert "/usr/share" not in str(refused.value)
