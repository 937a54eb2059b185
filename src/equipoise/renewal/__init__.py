"""One cell, exactly: statistics of neurons and ISI laws, and the input that gives a wanted rate and C_v."""

from equipoise.renewal import threshold_integration as threshold_integration
from equipoise.renewal.conventions import brunel_from as brunel_from
from equipoise.renewal.conventions import input_from as input_from
from equipoise.renewal.conventions import input_from_brunel as input_from_brunel
from equipoise.renewal.conventions import membrane_from as membrane_from
from equipoise.renewal.inverse import InputFor as InputFor
from equipoise.renewal.inverse import input_for as input_for
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
