"""One cell, exactly: rate, irregularity and Laplace transform of its interspike intervals, for neurons and ISI laws."""

from equipoise.renewal import lif as _lif  # noqa: F401  registers its statistics
from equipoise.renewal.statistics import cv as cv
from equipoise.renewal.statistics import cv_gradient as cv_gradient
from equipoise.renewal.statistics import isi_density as isi_density
from equipoise.renewal.statistics import isi_laplace as isi_laplace
from equipoise.renewal.statistics import isi_laplace_complement as isi_laplace_complement
from equipoise.renewal.statistics import log_isi_laplace as log_isi_laplace
from equipoise.renewal.statistics import log_isi_laplace_gradient as log_isi_laplace_gradient
from equipoise.renewal.statistics import log_rate as log_rate
from equipoise.renewal.statistics import log_rate_gradient as log_rate_gradient
from equipoise.renewal.statistics import rate as rate
