"""The report on a recording as one HTML file: a chapter for every topic that it allowed."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from equipoise import plotting
from equipoise.inference import Analysis, AnalysisSettings
from equipoise.report.cells_chapter import cells_chapter
from equipoise.report.chapters import Chapter
from equipoise.report.criticality_chapter import criticality_chapter
from equipoise.report.fields_chapter import fields_chapter
from equipoise.report.parts import bullets, figure, head, page, section, table
from equipoise.results import Recording, write_whole

CHAPTERS = {"cells": cells_chapter, "criticality": criticality_chapter, "fields": fields_chapter}


def write_html(analysis: Analysis, recording: Recording, settings: AnalysisSettings, path: str | Path) -> Path:
    """Write the page of an analysis to `path`."""
    text = html(analysis, recording, settings)
    return write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def html(analysis: Analysis, recording: Recording, settings: AnalysisSettings) -> str:
    """The page of an analysis."""
    title = f"{recording.source or 'Recording'}: excitation, inhibition and homeostasis"
    with plotting.style():
        chapters = [CHAPTERS[topic](analysis[topic], recording, settings) for topic in analysis]
        shown = _chapters(chapters)
    sections = [
        head(title, "", _facts(analysis, recording)),
        section("At a glance", bullets([sentence for chapter in chapters for sentence in chapter.glance])),
        *shown,
        section("What is flagged, and why", _flags(chapters)),
        *([section("What the recording did not allow", _left_out(analysis))] if analysis.left_out else []),
        section("What these numbers do not mean", bullets([c for chapter in chapters for c in chapter.caveats])),
        section("Methods", _methods(analysis, chapters)),
    ]
    return page(title, sections)


def _facts(analysis: Analysis, recording: Recording) -> str:
    spikes = recording.spikes
    units = f"{spikes.n_units} units, {spikes.times.size:,} spikes; " if spikes.n_units else ""
    signals = "".join(
        f"{escape(name)}: {len(it.names)} channel{'s' if len(it.names) > 1 else ''} at {it.sampling_rate:g} Hz; "
        for name, it in recording.signals.items()
    )
    epochs = ", ".join(f"{escape(e.name)} {e.stop - e.start:g} s" for e in recording.epochs)
    return (
        f"{units}{signals}{epochs}. equipoise {escape(analysis.attrs['equipoise_version'])}, "
        f"digest of the recording <code>{analysis.attrs['digest'][:16]}</code>."
    )


def _chapters(chapters: Sequence[Chapter]) -> list[str]:
    """The figures of all chapters are numbered through; tables are folded where figures come first."""
    texts, number = [], 1
    for chapter in chapters:
        parts = [figure(number + i, *drawn) for i, drawn in enumerate(chapter.figures)]
        number += len(parts)
        body = "\n".join(grid.html() for grid in chapter.tables)
        if parts and body:
            body = f"<details><summary>Tables</summary>{body}</details>"
        texts.append(section(chapter.title, "\n".join([*parts, body])))
    return texts


def _flags(chapters: Sequence[Chapter]) -> str:
    rows = [list(flag) for chapter in chapters for flag in chapter.flags]
    if not rows:
        return "<p>Nothing is flagged.</p>"
    return table(["epoch", "unit or signal", "flag", "reason"], rows, words=True)


def _left_out(analysis: Analysis) -> str:
    return bullets([f"<b>{escape(topic)}</b>: {escape(why)}" for topic, why in analysis.left_out.items()])


def _methods(analysis: Analysis, chapters: Sequence[Chapter]) -> str:
    rows = json.loads(analysis.attrs["settings"])
    facts = [["neuron", type_name(analysis.attrs["neuron"]), "model neuron"], *rows]
    methods = bullets([m for chapter in chapters for m in chapter.methods])
    return methods + "<h3>Parameters</h3>" + table(["parameter", "value", "meaning"], facts, words=True)


def type_name(text: str) -> str:
    """The class in a repr, "LIF" of "LIF(tau_m=...)"."""
    return text.split("(", 1)[0]
