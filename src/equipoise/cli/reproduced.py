"""Papers from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.cli.options import must_be_writable

if TYPE_CHECKING:
    from rich.table import Table

    from equipoise.papers import Reproduced


def reproduce_to(key: str, out: Path, names: list[str], *, compute: bool) -> bool:
    """Reproduce with a progress bar, print figures and claims; returns whether all claims came out as expected."""
    from rich.console import Console
    from rich.progress import Progress

    from equipoise import papers

    paper = papers.find(key)
    figures = papers.chosen(paper, names)
    if compute or out.exists():
        must_be_writable(out)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Reproducing {key}", total=len(figures))

        def tell(figure: papers.Figure, fraction: float) -> None:
            bar.update(task, completed=figures.index(figure) + fraction, description=figure.title)

        done = list(papers.reproduce(paper, out, names=names, compute=compute, progress=tell))
    console = Console()
    console.print(_claims_table(paper.title, done))
    papers.write_claims(paper, done, out / "claims.md")
    claims = [claim for one in done for claim in one.claims]
    unexpected = sum(not claim.as_expected for claim in claims)
    refuted = sum(not claim.holds for claim in claims)
    console.print(f"{len(claims)} claims checked: {refuted} do not hold, {unexpected} with an unexpected outcome.")
    console.print(f"Figures and data: {out}", soft_wrap=True, highlight=False)
    return unexpected == 0


def _claims_table(title: str, done: "list[Reproduced]") -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=False, pad_edge=False)
    for column, width in (("claim", 46), ("found", 48), ("verdict", 13)):
        table.add_column(column, max_width=width)
    for one in done:
        table.add_section()
        table.add_row(f"[bold]{one.figure.title}[/bold] ({one.figure.name})")
        for claim in one.claims:
            colour = "red" if not claim.as_expected else "green" if claim.holds else "yellow"
            table.add_row(f"{claim.text} ({claim.source})", claim.found, f"[{colour}]{claim.verdict}[/{colour}]")
    return table
