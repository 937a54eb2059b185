"""The fixed words of the page: captions, methods, caveats, and its style sheet."""

CAPTIONS = {
    "raster": (
        "Spikes",
        "The middle of each epoch: one row per unit, one tick per spike; below, the mean rate of all units in bins of "
        "0.25 s.",
    ),
    "rates": (
        "Rates and irregularity",
        "Left: firing rate of every unit with its confidence interval, one line per unit. Right: global "
        "C<sub>v</sub> of all intervals against local irregularity from neighbouring intervals. Far above the line, "
        "the global value measures how much the rate changes, not how irregularly the cell fires.",
    ),
    "calcium_second_moment": (
        "Second moment of calcium: three predictions",
        "Each in per cent of the second moment that the recorded spikes cause (line at 100 %); bars are the central "
        "95 % of surrogate trains (left out above 60 units). Shuffled against the line: what the order of intervals "
        "does. Smoothed-rate against mean-rate Poisson: what slow modulation of the rate does. Line against "
        "smoothed-rate Poisson: bursts, refractoriness and other fine structure.",
    ),
    "calcium_mean": (
        "Mean calcium: three predictions",
        "As before, for the mean. Without buffering all would coincide, since the mean would depend on the rate alone.",
    ),
    "operating": (
        "Operating point of the model neuron",
        "Mean and standard deviation of the membrane potential, without threshold, at which the model neuron has each "
        "unit's rate and irregularity. Solid lines: equal rate; dashed: equal C<sub>v</sub>; dotted: reset and "
        "threshold. Hollow points exist on paper only; triangles lie beyond the map.",
    ),
    "weights": (
        "Weights that the rule predicts",
        "Excitatory (red, solid) and inhibitory (blue, dashed) weight at which calcium homeostasis holds each unit, "
        "against the number of inputs; Eqs. 30-31. Units without positive weights at some K have no point there.",
    ),
}

METHODS = (
    "Rate n/T; global C<sub>v</sub> = sd/mean of the intervals; CV2 (Holt et al. 1996, J. Neurophysiol. 75:1806); "
    "LV (Shinomoto, Shima &amp; Tanji 2003, Neural Comput. 15:2823); LvR (Shinomoto et al. 2009, PLoS Comput. Biol. "
    "5:e1000433). Local irregularity C<sub>v,local</sub> = √(2 LV/(3 − LV)), the C<sub>v</sub> of the gamma renewal "
    "process with the same LV.",
    "Confidence intervals: delta method on the logarithm with the long-run variance of serially correlated terms "
    "(overlapping batch means); they assume that the epoch is stationary. Below ten intervals a rate has the exact "
    "interval of a Poisson count, and irregularity is not given.",
    "Calcium decays with τ<sub>Ca</sub>; a spike takes C to (1 − α) C + η. Actual moments are exact time averages "
    "along the recorded spikes; the first ten time constants of an epoch (a tenth of it at most), in which calcium "
    "forgets its unknown start, are left out, and epochs below thirty are flagged. They are the set point that "
    "homeostasis would have to hold.",
    "Renewal and mean-rate Poisson predictions: Theorem 1 of van Vreeswijk &amp; Farkhooi (2025), with the unit's own "
    "intervals and with exponential ones. Shuffled: the unit's intervals in random order. Smoothed-rate Poisson: each "
    "spike moved by an independent Gaussian, which samples the rate smoothed by that kernel and does not take the "
    "noise of a rate estimate for modulation.",
    "Gaps, all in per cent of the actual moment: serial = actual − shuffled; modulation = smoothed-rate − mean-rate "
    "Poisson; remaining = actual − smoothed-rate Poisson. A star marks actual values outside the central 95 % of the "
    "shuffles; one unit in twenty does so by chance.",
    "Model input: mean μ and noise amplitude σ (Eq. 1) that give the model neuron the unit's mean rate and the chosen "
    "irregularity, shown as mean and standard deviation σ√(τ<sub>m</sub>/2) of the membrane without threshold.",
    "Weights for K excitatory and K inhibitory Poisson inputs (Eqs. 30-31). Both are positive only if K exceeds "
    "μ²/(λσ²), the “least K” of the tables.",
    "Theorem and equation numbers refer to van Vreeswijk &amp; Farkhooi (2025), Emergence of balanced cortical "
    "activity via calcium-regulated synaptic homeostasis, bioRxiv 2025.09.04.674182.",
)

CAVEATS = (
    "Calcium is computed from spikes with the stated sensor; none was measured. Subthreshold and synaptic calcium are "
    "left out.",
    "That a unit has an implied set point does not show that it is at one: homeostasis takes hours to days, a "
    "recording minutes.",
    "Serial and modulation gaps overlap. Slow changes of the rate also make neighbouring intervals alike, so that a "
    "serial gap need not come from the cell itself.",
    "Modulation slower than the epoch is invisible, and modulation faster than the smoothing kernel counts as "
    "remaining gap.",
    "The model input pairs the mean rate with an irregularity. A unit that fires in bouts has its local irregularity "
    "at the higher rate within bouts, so that the mean rate makes its noise look too small and its weights "
    "infeasible.",
    "C<sub>v,local</sub> translates LV as if the intervals were gamma distributed and independent; bursts make it "
    "large, and the model neuron, which has no bursts, then needs an implausible input.",
    "White-noise input and one compartment stand for thousands of synapses; weights are equal within a kind, and input "
    "rates are assumed, not recorded.",
    "Intervals below the refractory period are contamination from other cells or missed isolation; they inflate the "
    "irregularity of the unit.",
)

STYLE = """
:root { --ink: #22262b; --quiet: #5f6770; --line: #dfe3e7; --shade: #f6f7f8; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1.1rem 4rem; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.facts { color: var(--quiet); margin: 0; }
code { font: .92em ui-monospace, Menlo, Consolas, monospace; }
pre { overflow-x: auto; padding: .7rem .9rem; background: var(--shade);
  font: .8rem/1.45 ui-monospace, Menlo, Consolas, monospace; }
summary { cursor: pointer; }
ul { padding-left: 1.2rem; } li { margin: .35rem 0; }
figure { margin: 1.6rem 0 2.2rem; }
figure img { width: 100%; height: auto; display: block; }
figcaption { color: var(--quiet); font-size: .9rem; margin-top: .4rem; max-width: 52rem; }
figcaption b { color: var(--ink); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .84rem; width: 100%; }
th { text-align: left; vertical-align: bottom; font-weight: 600; }
th, td { padding: .22rem .6rem .22rem 0; border-bottom: 1px solid var(--line); }
table.numbers td { white-space: nowrap; font-variant-numeric: tabular-nums; }
table.numbers th:not(:first-child), table.numbers td:not(:first-child) { text-align: right; }
tbody tr:hover { background: var(--shade); }
sub { line-height: 0; }
@media (max-width: 40rem) {
  figure img { width: 44rem; max-width: none; }
  figcaption::after { content: " Scroll the figure sideways to see all of it."; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .wide { overflow: visible; } table { font-size: 7.5pt; } th, td { padding-right: .35rem; }
}
"""
