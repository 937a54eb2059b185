"""Drawing: `draw_x(ax, data)` puts computed data on an axis and computes nothing itself."""

from equipoise.plotting.avalanches import draw_beside_chance as draw_beside_chance
from equipoise.plotting.avalanches import draw_slopes as draw_slopes
from equipoise.plotting.avalanches import draw_survival as draw_survival
from equipoise.plotting.fields import draw_channels as draw_channels
from equipoise.plotting.fields import draw_course as draw_course
from equipoise.plotting.fields import draw_spectra as draw_spectra
from equipoise.plotting.recordings import draw_calcium as draw_calcium
from equipoise.plotting.recordings import draw_irregularity as draw_irregularity
from equipoise.plotting.recordings import draw_operating_points as draw_operating_points
from equipoise.plotting.recordings import draw_population_rate as draw_population_rate
from equipoise.plotting.recordings import draw_raster as draw_raster
from equipoise.plotting.recordings import draw_rates as draw_rates
from equipoise.plotting.recordings import draw_slope as draw_slope
from equipoise.plotting.recordings import draw_weights as draw_weights
from equipoise.plotting.style import EPOCHS as EPOCHS
from equipoise.plotting.style import EXCITATION as EXCITATION
from equipoise.plotting.style import GRID as GRID
from equipoise.plotting.style import INHIBITION as INHIBITION
from equipoise.plotting.style import INHIBITION_LINE as INHIBITION_LINE
from equipoise.plotting.style import INK as INK
from equipoise.plotting.style import LOOK as LOOK
from equipoise.plotting.style import QUIET as QUIET
from equipoise.plotting.style import epoch_look as epoch_look
from equipoise.plotting.style import plain as plain
from equipoise.plotting.style import style as style
