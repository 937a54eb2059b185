"""The report of an analysis: tables on the screen, one netCDF file, one self-contained HTML page."""

from equipoise.report.files import read_netcdf as read_netcdf
from equipoise.report.files import write_netcdf as write_netcdf
from equipoise.report.files import write_whole as write_whole
from equipoise.report.page import html as html
from equipoise.report.page import write_html as write_html
from equipoise.report.tables import render_table as render_table
