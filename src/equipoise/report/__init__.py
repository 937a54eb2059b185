"""Reports: tables on the screen, one netCDF file, one self-contained HTML page."""

from equipoise.report.analysis_screen import render_analysis as render_analysis
from equipoise.report.circuit_page import circuit_html as circuit_html
from equipoise.report.circuit_page import write_circuit_html as write_circuit_html
from equipoise.report.circuit_tables import render as render_circuit
from equipoise.report.levels import render_levels as render_levels
from equipoise.report.page import html as html
from equipoise.report.page import write_html as write_html
from equipoise.report.predict_page import predict_html as predict_html
from equipoise.report.predict_page import render_prediction as render_prediction
from equipoise.report.predict_page import write_predict_html as write_predict_html
from equipoise.report.rate_page import rate_html as rate_html
from equipoise.report.rate_page import write_rate_html as write_rate_html
from equipoise.report.rate_tables import render as render_rates
from equipoise.report.spiking_page import spiking_html as spiking_html
from equipoise.report.spiking_page import write_spiking_html as write_spiking_html
from equipoise.report.spiking_tables import render as render_spiking

__all__ = [
    "circuit_html",
    "html",
    "predict_html",
    "rate_html",
    "render_analysis",
    "render_circuit",
    "render_levels",
    "render_prediction",
    "render_rates",
    "render_spiking",
    "spiking_html",
    "write_circuit_html",
    "write_html",
    "write_predict_html",
    "write_rate_html",
    "write_spiking_html",
]
