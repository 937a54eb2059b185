"""The fixed words of the chapter on criticality."""

CAPTIONS = {
    "sizes": (
        "Sizes of avalanches",
        "Share of avalanches with at least so many spikes, of the recording (black) and of four nulls; the red dots "
        "are the power law fitted from its lower end on. Where a null lies on the recording, sizes say nothing beyond "
        "what the null keeps. At most four groups and epochs are drawn.",
    ),
    "durations": (
        "Durations of avalanches",
        "As before, for the number of bins that avalanches last.",
    ),
    "slopes": (
        "How activity follows its past",
        "Slopes r<sub>k</sub> of the regression of activity on itself k bins of 4 ms earlier, and the fit b "
        "m<sup>k</sup> + c (red). The branching ratio m is in how fast they decay, not in the first of them.",
    ),
    "chance": (
        "Every number beside chance",
        "Exponents and branching ratio of each group and epoch with 95 % intervals, recording and nulls. A number "
        "whose interval holds that of a null does not tell the recording from chance. Branching ratios are left out "
        "where no slope stands out from none.",
    ),
}

METHODS = (
    "Avalanches: runs of bins that hold a spike, between two that do not; the bin is the mean interval between spikes "
    "of all units of the group (Beggs &amp; Plenz 2003, J. Neurosci. 23:11167). Sizes count spikes.",
    "Power laws by maximum likelihood with their exact normalisation, from the lower end with the least "
    "Kolmogorov-Smirnov distance on (Clauset, Shalizi &amp; Newman 2009, SIAM Rev. 51:661); p is the share of "
    "{samples} samples of the fitted law that fit worse; R is the log-likelihood ratio, above 0 where the power law "
    "is likelier (Vuong's test).",
    "Crackling exponent: growth of the mean size with the duration; deviation = |(τ<sub>t</sub> − 1)/(τ<sub>s</sub> "
    "− 1) − crackling exponent| with a bootstrap interval (Ma et al. 2019, Neuron 104:655).",
    "Branching ratio m by multistep regression (Wilting &amp; Priesemann 2018, Nat. Commun. 9:2325): bins of 4 ms, "
    "lags 1 to {kmax}, an offset for slow changes of rate; jackknife over 20 blocks. It does not depend on how many "
    "units are seen, as long as all have the same share in what they set off.",
    "Nulls: independent Poisson spikes of the same mean rates; spikes moved by {width} ms (sd), which keeps slower "
    "rates; each unit's intervals in random order; each unit's train moved around the window. They are measured in "
    "the same bins as the recording. Intervals of this chapter are of 95 %.",
)

CAVEATS = (
    "Power laws, a crackling relation that holds, and a branching ratio near 1 are compatible with a critical point; "
    "none of them shows one. Units that know nothing of each other can have all three.",
    "Avalanches depend on the bin and on how many units were recorded: few units cut avalanches into pieces.",
    "A branching ratio takes activity for stationary. Slow changes of rate that all units share, such as the direction "
    "of a head or a state of sleep, look like a long memory; the shifted units beside it tell how much of that is in "
    "single units.",
)
