"""A drawing of a run: the mean of each category with its interval, a panel for each function. Loads Matplotlib, which
only the extra `plot` brings.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import Any

from llama_cli.evaluating.figures import Figure
from llama_cli.evaluating.report import Report
from llama_cli.exits import Failure

_INCHES_WIDE, _INCHES_A_ROW, _INCHES_A_PANEL = 7.0, 0.32, 0.9


def needed() -> None:
    """Raises Failure where nothing here can draw: known before anything is evaluated."""
    if find_spec("matplotlib") is None:
        raise Failure(
            "`--plot` needs Matplotlib, which is not installed beside `llama`",
            hint="install the extra `plot`, as in `uv tool install 'llama-stack-toolchain[plot]'` or "
            "`pip install matplotlib` in its environment; the other reports need nothing",
        )


def plot(report: Report) -> bytes | None:
    """The drawing as PNG; None where no function gives numbers."""
    panels = {
        name: [figure for figure in report.figures if figure.function == name and figure.mean is not None]
        for name in report.run.functions
    }
    panels = {name: figures for name, figures in panels.items() if figures}
    if not panels:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    heights = [_INCHES_A_PANEL + _INCHES_A_ROW * len(figures) for figures in panels.values()]
    drawing = Drawing(figsize=(_INCHES_WIDE, sum(heights) + 0.4), layout="constrained")
    FigureCanvasAgg(drawing)
    drawing.suptitle(_plain(f"{report.run.name}: {report.run.model or report.run.id}"), fontsize=11)
    axes = drawing.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (name, figures) in zip(axes, panels.items(), strict=True):
        _draw(axis, name, figures, _baseline(report, name))
    data = io.BytesIO()
    drawing.savefig(data, format="png", dpi=144)
    return data.getvalue()


def _draw(axis: Any, name: str, figures: list[Figure], baseline: float | None) -> None:
    places = range(len(figures))
    means = [figure.mean or 0.0 for figure in figures]
    below = [mean - (figure.low or 0.0) for mean, figure in zip(means, figures, strict=True)]
    above = [(figure.high or 0.0) - mean for mean, figure in zip(means, figures, strict=True)]
    colors = ["#3b6ea5" if figure.category is None else "#9bb8d3" for figure in figures]
    axis.barh(places, means, xerr=[below, above], color=colors, ecolor="#333333", capsize=3, height=0.7)
    axis.set_yticks(places, [_plain(f"{figure.category or 'all cases'} ({figure.rows})") for figure in figures])
    axis.invert_yaxis()
    axis.set_title(_plain(name), loc="left", fontsize=10)
    highest = max(figure.high or 0.0 for figure in figures)
    if min(figure.low or 0.0 for figure in figures) >= 0:
        axis.set_xlim(0, 1 if highest <= 1 else highest * 1.05)
    if baseline is not None:
        axis.axvline(baseline, color="#b5532f", linestyle="--", linewidth=1, label="baseline")
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=8, borderpad=0.2)
    axis.spines[["top", "right"]].set_visible(False)


def _baseline(report: Report, name: str) -> float | None:
    changes = report.comparison.changes if report.comparison else ()
    return next((change.difference.baseline for change in changes if change.function == name), None)


def _plain(text: str) -> str:
    """Not read as mathematics, and not longer than there is place."""
    text = text.replace("$", r"\$")
    return text if len(text) <= 60 else f"{text[:59]}…"
