"""The fixed words of the chapter on fields."""

CAPTIONS = {
    "spectra": (
        "Power spectra",
        "Power with its interval by condition; dashed, the aperiodic part over the range of its fit, with a knee where "
        "that holds. {shown}",
    ),
    "median": (
        "Median over channels",
        "Median over the channels of each signal of power, its interval and the aperiodic part. Channels are not "
        "independent: the band is that of a typical channel, not of the median.",
    ),
    "channels": (
        "Channel by channel",
        "Aperiodic exponent and power from {band} Hz above the aperiodic line, with intervals.",
    ),
    "course": (
        "Over time",
        "Aperiodic exponent and power from {band} Hz above the aperiodic line in windows of {length} s, every {step} "
        "s. Colours are the conditions. Windows overlap and are not independent of their neighbours.",
    ),
}

METHODS = (
    "Spectra: Hann segments of {window} s that overlap by half, each without its line (Welch 1967); intervals by "
    "chi-square with the degrees of freedom that the overlap leaves. Stretches of one condition are averaged, each by "
    "its degrees of freedom; stretches shorter than a segment are left out.",
    "Aperiodic part: Whittle likelihood of power ∝ 1/f<sup>exponent</sup> beside peaks, which are found first and "
    "left out; with a knee where that lifts the likelihood beyond chance. Ranges: {ranges}. Frequencies beyond a steep "
    "low-pass of the recording, or near the end of the spectrum, do not enter.",
    "Rhythms: what rises above the aperiodic line beyond chance, with its centre, its width at half height, and its "
    "greatest power over the line. specparam: exponent after Donoghue et al. (2020, Nat. Neurosci. 23:1655), where it "
    "is installed.",
    "Change of slope: exponent of a condition less that of the first one, {slopes} Hz (Gao, Peterson &amp; Voytek "
    "2017, NeuroImage 158:70). It is not given where a range bends by more than 0.5 beyond chance, or peaks fill "
    "more than a fifth of it.",
)

CAVEATS = (
    "A steeper slope is compatible with relatively more inhibition, and with much else: time constants of synapses and "
    "membranes, a knee that moves, rates and rhythms, muscle (flatter from 20 Hz on), reference and montage, amplifier "
    "and low-pass, noise. In a recurrent network it need not follow the ratio of conductances at all. It compares an "
    "electrode with itself, never people or devices.",
    "Low-passes of first and second order fall no faster than tissue and are not found: know the band of the "
    "recording. An exponent above 3 is more likely a filter than a brain.",
    "An exponent is about its range. Where the status is approximate, the spectrum bends, and no one exponent "
    "describes it; the knee, where there is one, says where.",
    "Harmonics of a rhythm that is no sine are listed as rhythms of their own; where a spectrum bends and no knee "
    "holds, so may be a rise at the lower end of the range.",
    "Intervals take the signal for stationary and Gaussian within a condition; slow changes of state are not in them.",
)
