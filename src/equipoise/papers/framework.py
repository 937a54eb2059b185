"""How a paper is reproduced: each figure is compute() -> Dataset, draw(fig, data), claims(data) -> checks.

`reproduce` saves the data as netCDF and draws every figure *from the saved file*, so that a figure can be drawn again
without computing. A claim is a sentence of the paper (or of this package about it) with the number that decides it and
the outcome that is expected; a claim of the paper that is false is expected to fail, and shown as such.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from equipoise.quantities import suggest
from equipoise.results import load_dataset, save_dataset, write_whole

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas


Progress = Callable[[float], None]
"""Told the finished fraction."""


@dataclass(frozen=True)
class Claim:
    """A statement, where it stands, the numbers found, whether it holds, and whether it was expected to."""

    text: str
    source: str
    found: str
    holds: bool
    expected: bool = True

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is the expected one."""
        return self.holds == self.expected

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        if self.as_expected:
            return "holds" if self.holds else "does not hold"
        return "FAILS, unexpectedly" if self.expected else "HOLDS, unexpectedly"


class Content(Protocol):
    """What a module of a figure offers."""

    def compute(self) -> "xr.Dataset":
        """Everything the figure and its claims need."""
        ...

    def draw(self, canvas: "Canvas", data: "xr.Dataset") -> None:
        """Draw saved data; computes nothing."""
        ...

    def claims(self, data: "xr.Dataset") -> Sequence[Claim]:
        """Decide the claims from saved data."""
        ...


class SimulatedContent(Content, Protocol):
    """What a module of a figure offers whose data are simulated, which takes time."""

    def compute(self, progress: Progress = ...) -> "xr.Dataset":
        """Everything the figure and its claims need, telling how far it is."""
        ...


@dataclass(frozen=True)
class Figure:
    """A figure: its name, title, the module that makes it, and its size in inches."""

    name: str
    title: str
    content: Content
    size: tuple[float, float] = (7.2, 3.2)

    def computed(self, progress: Progress) -> "xr.Dataset":  # noqa: ARG002
        """The data of the figure."""
        return self.content.compute()


@dataclass(frozen=True)
class SimulatedFigure(Figure):
    """A figure whose data are simulated: it takes longer, and tells how far it is."""

    content: SimulatedContent

    def computed(self, progress: Progress) -> "xr.Dataset":
        """The data of the figure."""
        return self.content.compute(progress)


@dataclass(frozen=True)
class Paper:
    """A source: key on the command line, full title, and its figures."""

    key: str
    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Reproduced:
    """One figure done: the files written and the claims decided."""

    figure: Figure
    files: tuple[Path, ...]
    claims: tuple[Claim, ...]


def reproduce(
    paper: Paper,
    out: Path,
    *,
    names: Collection[str] = (),
    compute: bool = True,
    progress: Callable[[Figure, float], None] | None = None,
) -> Iterator[Reproduced]:
    """Compute, save, draw and check each figure of a paper (or those in `names`) into the folder `out`, one by one.

    With compute=False figures and claims come from the files saved earlier; FileNotFoundError says which is missing.
    `progress` is told the figure at work and the fraction of it that is done.
    """
    tell = progress or (lambda _figure, _fraction: None)
    for figure in chosen(paper, names):
        path = out / f"{figure.name}.nc"
        tell(figure, 0.0)
        if compute:
            save_dataset(figure.computed(partial(tell, figure)), path)
        elif not path.exists():
            raise FileNotFoundError(f"reproduce: {path} is missing; run once without --redraw.")
        data = load_dataset(path)
        yield Reproduced(figure, (path, *redraw(figure, data, out)), tuple(figure.content.claims(data)))


def chosen(paper: Paper, names: Collection[str]) -> tuple[Figure, ...]:
    """The figures of a paper with these names, all without names; ValueError for an unknown one."""
    known = {figure.name for figure in paper.figures}
    for name in names:
        if name not in known:
            raise ValueError(f"reproduce: {paper.key} has no figure called {name!r}.{suggest(name, known)}")
    return tuple(f for f in paper.figures if not names or f.name in names)


def redraw(figure: Figure, data: "xr.Dataset", out: Path) -> tuple[Path, ...]:
    """Draw a figure from its data as PNG and PDF."""
    import matplotlib.pyplot as plt

    from equipoise import plotting

    with plotting.style():
        canvas = plt.figure(figsize=figure.size, layout="constrained")
        figure.content.draw(canvas, data)
        files = tuple(out / f"{figure.name}.{kind}" for kind in ("png", "pdf"))
        with plotting.laid_out(canvas, dpi=200):
            for path in files:
                write_whole(path, canvas.savefig)
        plt.close(canvas)
    return files


def write_claims(paper: Paper, done: Sequence[Reproduced], path: Path) -> None:
    """Write the claims and their verdicts as a Markdown page."""
    rows = [f"# {paper.title}", "", "| figure | claim | where | found | verdict |", "|---|---|---|---|---|"]
    for one in done:
        rows += [f"| {one.figure.name} | {c.text} | {c.source} | {c.found} | {c.verdict} |" for c in one.claims]
    write_whole(path, lambda place: place.write_text("\n".join(rows) + "\n", encoding="utf-8"))
