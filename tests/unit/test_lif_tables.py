"""The shipped tables of the leaky integrate-and-fire neuron are what their generator computes."""

import re
import sys
from pathlib import Path

import mpmath as mp
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import make_lif_tables as tables  # noqa: E402


def shipped(name):
    """Coefficients of one table of the header, [panel][power]."""
    text = tables.HEADER.read_text()
    body = re.search(rf"Table {name} = \{{(.*?)\}};", text, re.DOTALL)
    assert body is not None
    return [[float.fromhex(c) for c in row.split(", ")] for row in re.findall(r"\{([^{}]+)\}", body.group(1))]


def test_every_table_is_shipped():
    assert re.findall(r"Table (\w+) =", tables.HEADER.read_text()) == list(tables.TABLES)


@pytest.mark.parametrize("name", tables.TABLES)
def test_panels_are_regenerated(name):
    coefficients = shipped(name)
    assert [len(row) for row in coefficients] == [tables.DEGREE + 1] * tables.PANELS
    for m in (0, 13, tables.PANELS - 1):
        assert coefficients[m] == pytest.approx(tables.panel(tables.TABLES[name][1], m), rel=1e-14, abs=1e-25)


@pytest.mark.parametrize("name", tables.TABLES)
def test_polynomials_meet_the_function(name):
    # Away from the nodes, at both ends of a panel and inside.
    coefficients, function = shipped(name), tables.TABLES[name][1]
    with mp.workdps(tables.DIGITS):
        for m, t in ((1, -0.97), (10, 0.05), (20, 0.5), (31, 0.97)):
            exact = function(tables.place((2 * m + 1 + mp.mpf(t)) / (2 * tables.PANELS)))
            value = mp.fsum(mp.mpf(c) * mp.mpf(t) ** j for j, c in enumerate(coefficients[m]))
            assert abs(value / exact - 1) < 5e-16
