"""The fixed words of the chapters on spikes, stability, populations and the verdict: captions, methods, caveats."""

CAPTIONS = {
    "laws": (
        "Laws of the intervals between spikes",
        "How five laws of independent intervals share each unit (Akaike weights; a wide bar means that the data prefer "
        "that law to the others, not that it is right). A cross: even the best law is rejected at 1 % by its "
        "Kolmogorov distance (parametric bootstrap).",
    ),
    "counts": (
        "Variability and correlation of counts",
        "Left: Fano factor of every unit against the counting window; it rises with the window where rates drift. "
        "Right: mean correlation of counts between units, of all pairs and, where types are known, of E and I, with "
        "its bootstrap interval over units; grey, where it lies if every unit is moved in time by an amount of its "
        "own.",
    ),
    "coincidences": (
        "Timing between units",
        "Pairs of spikes of different units at each lag, in units of what remains when spikes are drawn anew within "
        "blocks of five bins: 1 means no timing finer than a block. Grey: what a correlogram without fine timing "
        "leaves anywhere in 1 of 20 recordings at most (at 95 % confidence).",
    ),
    "drift": (
        "Single units and their population",
        "Left: rate of every unit in the second stretch against the first; dotted, a factor of two. Right: median "
        "change of single units and change of the summed rate, with bootstrap intervals over units; grey, what the "
        "noise of counting alone would give the units.",
    ),
    "recovery": (
        "Rates after the change",
        "Mean rate of all units in bins after the manipulation began; the line is their mean rate before.",
    ),
    "fitted": (
        "Rates of each population",
        "Steps: the recorded rates, from the slowest unit to the fastest. Dashed: rates of the fitted mean-field "
        "population, without the noise of counting, which widens the recorded ones a little.",
    ),
    "posterior": (
        "How the rules compare",
        "Posterior of each rule, all being equally likely before, and p, how often data of that rule lie as far from "
        "its predictions; empty bars are refused by p. Dotted: the posterior that a decision needs.",
    ),
    "predictions": (
        "What each rule predicts, and what was seen",
        "Natural logarithms of population observables beside before; the axis is linear up to ±0.1. Black: observed, "
        "with two standard errors over units. Coloured: median and central 95 % of each rule's predictions, the "
        "strength of the manipulation and the circuit being unknown; a rule has to fit all of them at once, which "
        "single bars do not show.",
    ),
}

METHODS = {
    "spikes": (
        "Laws of intervals: exponential, exponential after a dead time, gamma, inverse Gaussian and log-normal by "
        "maximum likelihood, the interval that is open at the end of the epoch being censored; p by parametric "
        "bootstrap with the fitted parameters.",
        "Fano factor Var(N)/⟨N⟩ of counts in neighbouring windows. Count correlations: Pearson's, averaged over pairs; "
        "null by circular shifts of every unit. Correlograms: pairs of spikes by lag, summed over pairs of units; null "
        "by interval jitter (Amarasingham et al. 2012, J. Neurophysiol. 107:517). Synchrony: "
        "χ² = Var(mean count)/mean(Var(count)) (Golomb &amp; Rinzel 1993, Phys. Rev. E 48:4810), 1/N where N units are "
        "independent.",
        "Types of cells: labels of the recording, else trough-to-peak widths where given, as a mixture of two normal "
        "laws; those are putative (Bartho et al. 2004, J. Neurophysiol. 92:600).",
    ),
    "stability": (
        "Drift: log2 ratio of (n + 1/2)/T between two stretches. Null of counting: the long-run variance of each "
        "unit's own intervals. Null of independent drift: the same changes with random signs; its p says how often the "
        "population then moves as little as it did. Intervals by bootstrap over units.",
        "Recovery: an exponential return of the mean rate, fitted to bins after the change.",
    ),
    "populations": (
        "Mean-field fit: every unit receives μ<sub>i</sub> + σξ(t), μ<sub>i</sub> normal with mean μ and standard "
        "deviation Δ over the population. The likelihood of counts and irregularities contains their errors; intervals "
        "and goodness of fit by parametric bootstrap. ρ(μ, σ) is the correlation of their errors: near ±1 the data fix "
        "a combination of the two rather than each.",
    ),
    "verdict": (
        "Verdict: mean-field circuits that fire as recorded before, with everything else drawn from stated priors, "
        "undergo the manipulation under each rule. Evidence is the density of the data among a rule's predictions, "
        "with the errors of the data and a tolerance for what the model leaves out. A rule is named only if its "
        "posterior exceeds the threshold and the data do not refuse it.",
    ),
}

CAVEATS = {
    "spikes": (
        "Laws of intervals are fitted to all intervals of an epoch as if its rate were constant: where rates drift, a "
        "heavy-tailed law wins and every law is rejected.",
        "Units that share slow changes of state are correlated without being connected; only what stands out of the "
        "jittered correlogram is timed more finely than that. Units that were not recorded together have no "
        "correlation, whatever is computed.",
    ),
    "stability": (
        "Drift between two stretches does not tell homeostasis from a change of state, of behaviour or of the "
        "electrode. Only a population that moves less than independent drift of its units (small p) is held.",
    ),
    "populations": (
        "The spikes of one population do not identify the number of inputs or single weights, only scaled ones, and "
        "μ, Δ and σ only for the stated model neuron. Δ holds whatever makes units unlike, thresholds too.",
    ),
    "verdict": (
        "A verdict is about the rules that were compared and their priors. Errors are over units: they know nothing of "
        "differences between animals.",
        "Undecided is a result: it names the rules that data of this kind do not tell apart.",
    ),
}

LAWS = {
    "exponential": "exponential",
    "dead_time": "exponential after a dead time",
    "gamma": "gamma",
    "inverse_gaussian": "inverse Gaussian",
    "log_normal": "log-normal",
    "": "none",
}
