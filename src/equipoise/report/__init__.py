"""The report of an analysis: tables on the screen, one netCDF file, one self-contained HTML page."""

from equipoise.report.page import html as html
from equipoise.report.page import write_html as write_html
from equipoise.report.tables import render_table as render_table
