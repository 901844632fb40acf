"""What our engine reaches on one GPU, of what the GPU's memory allows: each step reads the weights and the cache once.

Run: `.venv/bin/python -m scripts.bench.engine.gpu [--model PATH] [--dtype fp8] [--batches 1,256] [--context 1024]`;
where there is no CUDA device it says so and ends. A model of some billions of weights says something about kernels; the
shipped one, of 135 million, about the cost of launching them.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from scripts.bench import measure
from scripts.bench.engine.in_process.child import child
from scripts.bench.engine.subjects import Subjects

# Bytes a second, from NVIDIA's data sheets: https://www.nvidia.com/en-us/data-center/h100/ and /h200/ (SXM).
NOMINAL = {"H200": 4.8e12, "H100": 3.35e12}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a GGUF file or a checkpoint's folder; default: the shipped model")
    parser.add_argument("--dtype", default="auto", help="how weights are kept, as fp8; default: %(default)s")
    parser.add_argument("--batches", default="1,256", help="sequences at once; default: %(default)s")
    parser.add_argument("--context", type=int, default=1024, help="tokens of each; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    batches = [int(batch) for batch in options.batches.split(",")]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        model = options.model or Subjects(Path(folder), ends).weights
        gpu = ends.enter_context(child("ours_on_gpu", Path(folder), str(model), "cuda", options.dtype))
        device = gpu.ask("device")
        if device["name"] is None:
            raise SystemExit("error: torch sees no CUDA device here, so there is nothing to measure")
        measure.say(f"loading {model} on {device['name']}")
        shape = gpu.ask("load", batch=max(batches), context=options.context)
        nominal = next((rate for name, rate in NOMINAL.items() if name in device["name"]), None)
        rows = []
        for batch in batches:
            found = []
            for turn in range(options.rounds + 1):
                speed = gpu.ask("decode", batch=batch, context=options.context)["tokens_a_s"]
                measure.say(f"batch {batch}, round {turn} of {options.rounds}")
                found += [speed] if turn else []  # the first time it compiles, or captures graphs
            step_bytes = shape["weights_bytes"] + batch * shape["cache_bytes_a_token"] * options.context
            shares = [
                "" if rate is None else f"{measure.median(found) / roofline(rate, step_bytes, batch):.2f}"
                for rate in (nominal, device["copied_bytes_a_s"])
            ]
            rows.append((str(batch), measure.spread(found, 0), f"{step_bytes / 1e9:.2f}", *shares))
    copied = f"copies {device['copied_bytes_a_s'] / 1e12:.2f} TB/s"
    print(f"{measure.machine()}; {device['name']}, {copied}; rounds: {options.rounds}; {model.name}, {shape['dtype']}")
    print(f"\n{options.context} tokens of context each\n")
    header = ("batch", "tokens/s", "GB a step", "of nominal bandwidth", "of copied bandwidth")
    print(measure.table(header, rows))


def roofline(bytes_a_s: float, step_bytes: float, batch: int) -> float:
    """Tokens a second where a step takes as long as reading its bytes: Williams et al. 2009."""
    return batch * bytes_a_s / step_bytes


if __name__ == "__main__":
    main()
