"""The fixed words of a page on spikes: captions, methods, caveats."""

CAPTIONS = {
    "circuit": (
        "The circuit",
        "Arrow heads excite, round ones inhibit; the width of a line is the mean input that a projection gives at the"
        " rates simulated, over the capacitance: K J r, of conductances K g r τ (E − V) at the mean potential V of "
        "its target. The numbers are that input with its sign.",
    ),
    "activity": (
        "Spikes",
        "The last second: some neurons of each population, a row each; below, the rate of all neurons in bins of 5 ms.",
    ),
    "neurons": (
        "Neurons of a population differ",
        "Rate (mean over neurons, and the range of the central 50 and 90 % of those recorded) and C<sub>v</sub> of "
        "the intervals (median, same ranges), and each recorded neuron by both. Dotted: what the theory of one cell "
        "says under Poisson input of the rates simulated.",
    ),
    "balance": (
        "Excitation and inhibition",
        "Left and middle: one neuron in the last 0.3 s. Right: every neuron that was followed, by the part of its "
        "mean excitation that is not cancelled (0: balanced on average) and by the correlation of excitation and "
        "inhibition from moment to moment (1: tight).",
    ),
    "together": (
        "What neurons do together",
        "Power spectra of population rates (dotted: independent Poisson neurons of these rates) and of the LFP proxy "
        "with its aperiodic line; sizes of avalanches of a sample of neurons, beside Poisson counts of the same mean.",
    ),
    "course": (
        "The run",
        "Rates, and inhibitory over excitatory current of the neurons that were followed. Grey: what is not taken as "
        "settled. Dotted: the rate at which learning aims, and currents that cancel.",
    ),
    "learned": (
        "Synapses that learn",
        "Left: their mean weight over that from which they start. Right: at the end of the run, the share of synapses"
        " below a weight; dotted, where all started.",
    ),
    "answers": (
        "Answers to volleys",
        "Rates around the volleys, in bins of 1 ms, mean over those that the run holds.",
    ),
    "rules": (
        "Homeostasis",
        "Rates and slow variables while the rules of the circuit act, extrapolated from two runs at two speeds; bands"
        " are the error of that. All else on this page is after it.",
    ),
}

METHODS = (
    "Every neuron is simulated in steps of 0.1 ms: leak and currents exactly, conductances to second order in the "
    "step; sources are counts per step. The result depends on circuit and seed alone.",
    "Where synapses learn or tire, or neurons adapt, there is no warm-up, and the second half of the run counts as "
    "settled. All numbers but those over time are of the settled state.",
    "Rates are of all neurons, with the 95 % interval from up to 20 blocks of the run. C<sub>v</sub>, spread and "
    "synchrony are of up to 300 recorded neurons, currents and conductances of up to 40, both of each population. "
    "Currents are those that flow, over the capacitance; tonic drive counts as excitation.",
    "Balance index (E + I)/E of mean currents; tracking: correlation of E and −I in bins of 1 ms within windows; τ = "
    "C/(g<sub>L</sub> + g<sub>E</sub> + g<sub>I</sub>). Synchrony: χ² of counts in 5 ms, 1/N for independent neurons.",
    "Spectra by Welch's method. LFP proxy: |E(t − 6 ms)| + 1.65 |I(t)| of the largest excitatory population (Mazzoni "
    "et al. 2015, PLoS Comput. Biol. 11:e1004584); aperiodic exponent as in Gao, Peterson &amp; Voytek (2017), "
    "NeuroImage 158:70, by a robust line. A rhythm is a peak four times above a line from 5 to 200 Hz.",
    "Avalanches: runs of non-empty bins as long as the mean time between spikes, of neurons drawn until they fire 500"
    " Hz together. Branching ratio: regression of the counts of all neurons in 4 ms on those before. Chance: "
    "independent Poisson counts of the same means, whose crackling exponent is 1 and branching ratio 0.",
    "Theory of one cell: the rate averaged over slow conductances, fast ones as white noise, under Poisson input at "
    "the rates simulated; learned weights by their mean and mean square, depression by its mean field.",
)

CAVEATS = (
    "One graph and one seed: another draw moves rates by about their spread over the square root of the neurons.",
    "The LFP proxy is a sum of currents of point neurons, without unit of a field, and its size means nothing. An "
    "aperiodic exponent over a range with a rhythm or a knee is not one of a power law.",
    "Avalanches of a sample of neurons are not those of the network, and straight lines over one decade show no power"
    " law. The branching ratio of a driven network counts shared input too.",
    "The second half of a run need not be at rest: look at the figure of the run.",
    "The theory of one cell takes inputs as independent and Poisson. Where its status is approximate it is off by "
    "some ten per cent or more.",
)
