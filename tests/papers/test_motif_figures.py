"""The figures on motifs of inhibition: every claim comes out as expected, and the figures are drawn from saved data."""

import pytest

from equipoise.papers.ei_balance import endocannabinoids, feedback, feedforward
from equipoise.papers.framework import Figure, redraw
from equipoise.results import load_dataset, save_dataset


@pytest.mark.parametrize("content", [feedforward, feedback, endocannabinoids])
def test_figures(content, tmp_path):
    save_dataset(content.compute(), tmp_path / "data.nc")
    data = load_dataset(tmp_path / "data.nc")
    assert [c.text for c in content.claims(data) if not c.as_expected] == []
    files = redraw(Figure("one", "One", content), data, tmp_path)
    assert all(path.stat().st_size > 5000 for path in files)
