"""Recordings from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.options import must_be_writable

if TYPE_CHECKING:
    from equipoise.inference import AnalysisSettings
    from equipoise.results import Epoch, Recording


def analyze_to(
    recording: "Recording", settings: "AnalysisSettings", out: Path, topics: list[str] | None = None
) -> Path:
    """Analyse with a progress bar, print the tables, write page and data to a directory; returns the page's path."""
    from rich.console import Console
    from rich.progress import Progress

    from equipoise import report
    from equipoise.inference import analyze as run

    must_be_writable(out)
    stem = Path(recording.source or "recording").stem
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Analysing", total=1.0)
        told = lambda fraction: bar.update(task, completed=fraction)  # noqa: E731
        analysis = run(recording, settings, topics=topics, progress=told)
        bar.update(task, description="Drawing figures", total=None)
        data = analysis.save(out / f"{stem}.nc")
        page = report.write_html(analysis, recording, settings, out / f"{stem}.html")
    console = Console()
    console.print(report.render_analysis(analysis))
    console.print(f"\nReport: {page}\nData:   {data}", soft_wrap=True, highlight=False)
    return page


def recording_named(name: str, time_unit: str, epochs: list[str] | None, **options: Any) -> "Recording":
    """A recording from a file, or one of those that are shipped."""
    from equipoise import recordings

    parsed, unit = [epoch_of(text) for text in epochs] if epochs else None, _tick(time_unit)
    shipped = "a2929" if name == "example" else name
    if shipped in recordings.EXAMPLES and not Path(name).exists():
        given = {key: value for key, value in options.items() if value is not None}
        return recordings.example(shipped, epochs=parsed, **given)
    return recordings.load(name, time_unit=unit, epochs=parsed, **options)


def _tick(text: str) -> str | float:
    """The seconds per tick of "5e-5" or "1/20000"; other texts are names of units."""
    try:
        over, _, under = text.partition("/")
        return float(over) / float(under or 1.0)
    except ZeroDivisionError:
        raise ValueError(f"--time-unit must be a name or the seconds per tick (> 0), got {text!r}.") from None
    except ValueError:
        return text


def epoch_of(text: str) -> "Epoch":
    """The epoch of "NAME:START:STOP"."""
    from equipoise.results import Epoch

    try:
        name, start, stop = text.rsplit(":", 2)
        return Epoch(name, float(start), float(stop))
    except ValueError:
        raise ValueError(
            f"--epoch must read NAME:START:STOP with times in s such as sleep:0:600, got {text!r}."
        ) from None
