"""Units as SI floats: ``20 * ms == 0.02``. Calcium is in µM, the one unit that is not SI.

Membrane potentials are in volts or in units of the threshold, as the model chooses; weights share that unit.
"""

second = 1.0
ms = 1e-3
us = 1e-6
minute = 60.0
hour = 3600.0
day = 86400.0

Hz = 1.0
kHz = 1e3

V = 1.0
mV = 1e-3
uV = 1e-6

A = 1.0
nA = 1e-9
pA = 1e-12

siemens = 1.0
uS = 1e-6
nS = 1e-9

farad = 1.0
uF = 1e-6
nF = 1e-9
pF = 1e-12

ohm = 1.0
Mohm = 1e6

uM = 1.0
mM = 1e3
nM = 1e-3
