"""The report of a package: a few pages of numbers, the same bytes for the same numbers."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

_LINES_PER_PAGE = 48


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (name, text) of nested results in their own order; numbers get six significant digits."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", f"{value:.6g}" if isinstance(value, float) else str(value)


def render_pdf(title: str, values: Mapping[str, Any]) -> bytes:
    """Return a PDF that lists `values` under `title`."""
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    lines = [f"{name:<44.44} {text:.60}" for name, text in flatten(values)] or ["no results given"]
    buffer = io.BytesIO()
    # Somebody's own matplotlibrc must not change the bytes.
    defaults = matplotlib.rc_context(dict(matplotlib.rcParamsDefault))
    with defaults, PdfPages(buffer, metadata={"Title": title, "CreationDate": None}) as pages:
        for start in range(0, len(lines), _LINES_PER_PAGE):
            figure = Figure(figsize=(8.27, 11.69))
            figure.text(0.08, 0.94, title, fontsize=14, weight="bold", parse_math=False)
            text = "\n".join(lines[start : start + _LINES_PER_PAGE])
            figure.text(0.08, 0.91, text, fontsize=8, family="monospace", va="top", linespacing=1.4, parse_math=False)
            pages.savefig(figure)
    return buffer.getvalue()
