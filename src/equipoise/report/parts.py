"""What every page is made of: one HTML file, style and figures inside, nothing fetched, readable on phone and paper."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import plotting
from equipoise.report.words import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 9.2  # inches, the text width of the page
RESOLUTION = 170  # dots per inch

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page(title: str, sections: Sequence[str]) -> str:
    """The whole file; `sections` are HTML."""
    return _PAGE.format(title=escape(title), style=STYLE, body="\n".join(sections))


def head(title: str, description: str, facts: str) -> str:
    """The head of a page: title and description are text, `facts` are HTML."""
    words = f"<p>{escape(description)}</p>" if description else ""
    return f"<header><h1>{escape(title)}</h1>{words}<p class='facts'>{facts}</p></header>"


def circuit_section(text: str) -> str:
    """The circuit as TOML, folded."""
    return section("The circuit", f"<details><summary>as TOML</summary><pre>{escape(text)}</pre></details>")


def known(noted: Sequence[Sequence[str]]) -> list[str]:
    """The section on parts that did not end well: part, status and why; none where there are none."""
    if not noted:
        return []
    return [section("What to know", table(["part", "status", "why"], noted, words=True))]


def closing(caveats: Sequence[str], methods: Sequence[str], circuit: str) -> list[str]:
    """The sections that end the page of a circuit."""
    return [
        section("What these numbers do not mean", bullets(caveats)),
        section("Methods", bullets(methods)),
        circuit_section(circuit),
    ]


def section(title: str, body: str) -> str:
    """A part of the page under its heading."""
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>"


def figure(index: int, drawn: "Figure", title: str, caption: str) -> str:
    """A numbered figure with its caption."""
    image = f'<img alt="{escape(title)}" src="data:image/png;base64,{as_png(drawn)}">'
    words = f"<figcaption><b>Figure {index}. {title}.</b> {caption}</figcaption>"
    return f"<figure><div class='wide'>{image}</div>{words}</figure>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: bool = False) -> str:
    """A table that scrolls sideways where it is too wide."""
    top = "".join(f"<th scope='col'>{symbols(escape(h))}</th>" for h in head)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    kind = "words" if words else "numbers"
    text = f"<table class='{kind}'><thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return f"<div class='wide'>{text}</div>"


def symbols(text: str) -> str:
    """C_v and its like as they are printed."""
    for plain, printed in {
        "C_v,local": "C<sub>v,local</sub>",
        "C_v": "C<sub>v</sub>",
        "J_E": "J<sub>E</sub>",
        "J_I": "J<sub>I</sub>",
        "g_E": "g<sub>E</sub>",
        "g_I": "g<sub>I</sub>",
        "tau_ref": "τ<sub>ref</sub>",
    }.items():
        text = text.replace(plain, printed)
    return text


def bullets(items: Sequence[str]) -> str:
    """A list of points; items are HTML."""
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def as_png(figure: "Figure") -> str:
    """The figure as a base64 text of PNG."""
    buffer = io.BytesIO()
    with plotting.laid_out(figure, dpi=RESOLUTION):
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def subplots(rows: int, columns: int, height: float, **options: Any) -> tuple["Figure", np.ndarray]:
    """A figure without pyplot, which keeps no global state and needs no display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    return figure, figure.subplots(rows, columns, squeeze=False, **options)
