"""The fixed words of a circuit's page: captions, methods, caveats."""

CAPTIONS = {
    "circuit": (
        "The circuit",
        "Arrow heads excite, round ones inhibit; the width of a line is the mean input K|J|r that a projection gives "
        "with the weights as given. The numbers are that input, K J r.",
    ),
    "state": (
        "Balance and what results",
        "Left: mean input of each population, what excites it to the right, what inhibits it to the left, and the net "
        "input that is left of both, with its standard deviation over neurons. Middle and right: rate (mean, and "
        "the range of the central 50 and 90 % of neurons) and C<sub>v</sub> of the intervals (median, and the same "
        "ranges). Dotted: the balanced limit.",
    ),
    "neurons": (
        "Neurons of a population differ",
        "They have different numbers of inputs. Left: distribution of rates, per e-fold of rate; dotted: balanced "
        "limit. Right: a random sample of neurons by rate and irregularity. Grey: the weights as given, where rules "
        "change them.",
    ),
    "path": (
        "Homeostasis over time",
        "From the weights as given until they rest, time on a logarithmic axis. Calcium: population means of the "
        "moments that the rules sense, over their set points. Rates: dotted, the balanced limit. Weights: their sizes, "
        "in the colour of the population they come from; dots are the homeostatic fixed point, found directly and not "
        "by following the path.",
    ),
    "spectrum": (
        "How disturbances of the weights fade",
        "Left: recovery time of each slow mode at the homeostatic fixed point; a mode that turns spirals in. Right: "
        "relative change of each weight in that mode, the largest 1 (of spirals, the part in phase with it). Neutral "
        "directions, along which nothing restores, are not drawn; they are the conserved quantities below.",
    ),
}

METHODS = (
    "Network state: self-consistent mean and second moment of the rates over each population (Sec. 4.5.3), with the "
    "quenched disorder of the wiring: mean, variance and covariance of the fluctuations of input mean and noise. "
    "Newton's method with analytic derivatives; averages are refined until they change by less than 10<sup>−9</sup>. "
    "Other states are looked for from 38 starts; a method that tries finitely many may miss some.",
    "Stability of a state is that of dr/dt = E[f] − r in units of the fast time constant; delays do not enter.",
    "Balanced limit: K → ∞ with weights of order K<sup>−1/2</sup> (Sec. 4.5.4). Its rates follow from the balance of "
    "the mean inputs alone; the inequalities say when both populations fire.",
    "Inputs: μ = Σ K J r by presynaptic population; the net input has the standard deviation √β over neurons. "
    "C<sub>v</sub> is that of a renewal neuron under white noise, from a random sample of neurons.",
    "Homeostasis: weights move slowly under their rules, rates follow at their fixed point (Eqs. 33-34). The fixed "
    "point is found by Newton's method on rates and weights together, on the level set of what the rules conserve; the "
    "trajectory integrates the rules. Recovery times are −1/Re λ of the Jacobian of the slow weights.",
    "Equation and section numbers refer to van Vreeswijk &amp; Farkhooi (2025), Emergence of balanced cortical "
    "activity via calcium-regulated synaptic homeostasis, bioRxiv 2025.09.04.674182.",
)

CAVEATS = (
    "This is theory: recurrent input is taken as white noise, so that C<sub>v</sub> of strongly coupled spiking "
    "networks is predicted less well than rates.",
    "Asynchronous states only. Delays and synchrony can make a state unstable that is called stable here.",
    "Disorder is Gaussian; for small K the tails of the rate distribution are approximate.",
    "Exponential synapses are treated to first order in the square root of their time constant.",
    "Homeostasis is taken as slow: rates and calcium are at their fixed point all along. Rules with time constants "
    "near that of calcium need a simulation.",
)
