"""One style and fixed colours: excitation red and solid, inhibition blue and dashed.

The colours are told apart with every common form of colour blindness, and every distinction is also one of line, marker
or place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXCITATION = "#C4302B"
INHIBITION = "#0072B2"
INHIBITION_LINE = (0, (4, 1.6))
LOOK: dict[str, dict[str, Any]] = {
    "e": {"color": EXCITATION, "linestyle": "-"},
    "i": {"color": INHIBITION, "linestyle": INHIBITION_LINE},
}
"""How lines of excitation and inhibition look in every figure."""
INK = "#22262B"
QUIET = "#8A9199"
GRID = "#E4E7EA"
EPOCHS = ("#3D5A98", "#D98C0D", "#2A8C6E", "#A14E8F", "#6B6F76")
EPOCH_MARKERS = ("o", "D", "s", "^", "v")

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "savefig.dpi": 170,
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
}


@contextmanager
def style() -> Iterator[None]:
    """The style of all figures, for the length of a `with` block."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


@contextmanager
def laid_out(figure: "Figure", dpi: float) -> Iterator[None]:
    """A figure laid out once for all its files, which are written in this `with` block, at `dpi` dots per inch.

    With its engine kept, each file is laid out twice and drawn twice.
    """
    import matplotlib as mpl

    figure.set_dpi(dpi)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False, "savefig.dpi": "figure"}):
        figure.set_layout_engine(None)
        yield


def epoch_look(index: int) -> dict[str, Any]:
    """Colour and marker of the epoch with this index."""
    return {"color": EPOCHS[index % len(EPOCHS)], "marker": EPOCH_MARKERS[index % len(EPOCH_MARKERS)]}


def plain(text: object) -> str:
    """A name from a file as matplotlib shows it letter by letter; its dollar signs are not formulas."""
    return str(text).replace("$", r"\$")


def plain_log(axis, steps: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Plain numbers at 1, 2, 5 (or other `steps`) of each decade of a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axis.set_minor_formatter(NullFormatter())
