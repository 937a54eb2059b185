"""Every figure of the paper is computed, saved, drawn from the saved file, and its claims come out as expected."""

import numpy as np
import pytest

from equipoise import papers
from equipoise.papers.framework import redraw
from equipoise.results import load_dataset, save_dataset

PAPER = papers.find("calcium-homeostasis")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("paper")


QUICK = [f for f in PAPER.figures if not isinstance(f, papers.SimulatedFigure)]


@pytest.mark.parametrize("figure", QUICK, ids=lambda f: f.name)
def test_figure_and_claims(figure, folder):
    path = folder / f"{figure.name}.nc"
    save_dataset(figure.content.compute(), path)
    data = load_dataset(path)
    claims = figure.content.claims(data)
    assert claims
    assert [c.text for c in claims if not c.as_expected] == []
    assert all(c.source and c.found for c in claims)
    for drawn in redraw(figure, data, folder):
        assert drawn.stat().st_size > 5_000


def test_drawing_needs_nothing_but_the_saved_file(folder, monkeypatch):
    figure = next(f for f in PAPER.figures if f.name == "fig2_nullclines")
    save_dataset(figure.content.compute(), folder / f"{figure.name}.nc")

    def forbidden():
        raise AssertionError("computed again")

    monkeypatch.setattr(figure.content, "compute", forbidden)
    (one,) = papers.reproduce(PAPER, folder, names=[figure.name], compute=False)
    assert [p.suffix for p in one.files] == [".nc", ".png", ".pdf"]


def test_redrawing_without_data_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="run once without --redraw"):
        list(papers.reproduce(PAPER, tmp_path, compute=False))


def test_claims_page_holds_every_claim(folder):
    done = list(papers.reproduce(PAPER, folder, names=["fig2_nullclines"]))
    papers.write_claims(PAPER, done, folder / "claims.md")
    text = (folder / "claims.md").read_text(encoding="utf-8")
    assert all(c.text in text and c.verdict in text for one in done for c in one.claims)


def test_no_stray_half_files_are_left(folder):
    assert not [p for p in folder.iterdir() if p.name.startswith("tmp")]


def test_unknown_names_are_answered_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'calcium-homeostasis'"):
        papers.find("calcium-homeostatis")
    with pytest.raises(ValueError, match="Did you mean 'fig3_scaling'"):
        list(papers.reproduce(PAPER, tmp_path, names=["fig3_scalin"]))


def test_fig1_values_of_the_paper_at_five_hertz():
    data = PAPER.figures[0].content.compute()
    at = data.interp(cv=np.array([0.1, 0.5, 1.0, 1.5, 2.0]), method="cubic")
    np.testing.assert_allclose(at["mean"], [1.35624, 1.34254, 1.30435, 1.25111, 1.18994], atol=2e-5)
    np.testing.assert_allclose(at["second_moment"], [1.91219, 1.99196, 2.19770, 2.44471, 2.67406], atol=2e-4)
