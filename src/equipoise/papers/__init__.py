"""Papers as clients of the public API: each figure is computed, saved, drawn from the saved data, and checked."""

from equipoise.papers.calcium_homeostasis import PAPER as CALCIUM_HOMEOSTASIS
from equipoise.papers.cross_homeostasis import PAPER as CROSS_HOMEOSTASIS
from equipoise.papers.ei_balance import PAPER as EI_BALANCE
from equipoise.papers.framework import Claim as Claim
from equipoise.papers.framework import Figure as Figure
from equipoise.papers.framework import Paper as Paper
from equipoise.papers.framework import Reproduced as Reproduced
from equipoise.papers.framework import SimulatedFigure as SimulatedFigure
from equipoise.papers.framework import chosen as chosen
from equipoise.papers.framework import reproduce as reproduce
from equipoise.papers.framework import write_claims as write_claims
from equipoise.papers.input_centric import PAPER as INPUT_CENTRIC
from equipoise.quantities import suggest

PAPERS = {paper.key: paper for paper in (CALCIUM_HOMEOSTASIS, INPUT_CENTRIC, CROSS_HOMEOSTASIS, EI_BALANCE)}


def find(key: str) -> Paper:
    """The paper with this key; ValueError with the known ones otherwise."""
    if key not in PAPERS:
        raise ValueError(f"reproduce: no paper called {key!r}.{suggest(key, PAPERS)}")
    return PAPERS[key]
