"""Reports: tables on the screen, one netCDF file, one self-contained HTML page."""

from equipoise.report.circuit_page import circuit_html as circuit_html
from equipoise.report.circuit_page import write_circuit_html as write_circuit_html
from equipoise.report.circuit_tables import render as render_circuit
from equipoise.report.levels import render_levels as render_levels
from equipoise.report.page import html as html
from equipoise.report.page import write_html as write_html
from equipoise.report.tables import render_table as render_table

__all__ = [
    "circuit_html",
    "html",
    "render_circuit",
    "render_levels",
    "render_table",
    "write_circuit_html",
    "write_html",
]
