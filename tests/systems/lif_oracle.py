"""The leaky integrate-and-fire neuron in mpmath: slow, to any number of digits, by other routes than the package."""

import itertools

import mpmath as mp


def scale(y_threshold):
    """e^{-y_th^2} above zero, otherwise 1."""
    return mp.exp(-(max(y_threshold, mp.mpf(0)) ** 2))


def breakpoints(start, stop):
    """Where to split an integral of functions that vary on the scales 1/|u| and, below zero, |u|."""
    marks = {mp.mpf(0)} | {-(mp.mpf(10) ** k) for k in range(-1, 10)}
    marks |= {stop - f / (1 + abs(stop)) for f in (0.3, 3, 12, 25, 50)}
    marks |= {start + f / (1 + abs(start)) for f in (0.3, 3, 12)}
    return [start, *sorted(m for m in marks if start < m < stop), stop]


def integral(f, points):
    """mp.quad of a positive function brought to order one first, because its stopping rule is absolute."""
    size = max(f((a + b) / 2) * (b - a) for a, b in itertools.pairwise(points))
    return size * mp.quad(lambda x: f(x) / size, points)


def growing(u):
    """int_0^u e^{t^2} dt; beyond 11 by its asymptotic series, whose error there is e^{-121}."""
    if abs(u) < 11:
        return mp.sqrt(mp.pi) / 2 * mp.erfi(u)
    term = total = mp.mpf(1)
    for k in range(1, 110):
        term *= (2 * k - 1) / (2 * u * u)
        total += term
        if term < mp.eps * total:
            break
    return mp.exp(u * u) / (2 * u) * total


def q_integral(y_threshold, d):
    """Scaled integral of q(u) = e^{u^2} erfc(-u) from y_th - d to y_th."""
    top = mp.mpf(y_threshold)
    s = scale(top)
    return integral(lambda u: s * mp.exp(u * u) * mp.erfc(-u), breakpoints(top - mp.mpf(d), top))


def h_integral(y_threshold, d):
    """Scaled integral of h, as one integral over v of e^{v^2} erfc(-v)^2 int_{max(v, y_r)}^{y_th} e^{u^2} du."""
    top = mp.mpf(y_threshold)
    bottom, s = top - mp.mpf(d), scale(top) ** 2
    if top > 7:  # what lies further below is smaller by e^{-80}
        bottom = max(bottom, top - 40 / top)

    def inner(v):
        return mp.exp(v * v) * mp.erfc(-v) ** 2

    start = bottom - (60 / (1 - bottom) if bottom < 0 else 12)
    below = integral(inner, breakpoints(start, bottom))
    rest = integral(lambda v: inner(v) * (growing(top) - growing(v)), breakpoints(bottom, top))
    return s * (below * (growing(top) - growing(bottom)) + rest)


def log_n(a, y):
    """log N_a(y), N_a(y) = int_0^inf v^{a-1} e^{-v^2 + 2 y v} dv, from confluent hypergeometric functions."""
    a, y, half = mp.mpf(a), mp.mpf(y), mp.mpf(1) / 2
    if y < 0:
        return mp.log(mp.hyperu(a / 2, half, y * y)) + mp.loggamma(a) - a * mp.log(2)
    even = mp.gamma(a / 2) / 2 * mp.hyp1f1(a / 2, half, y * y)
    return mp.log(even + y * mp.gamma((a + 1) / 2) * mp.hyp1f1((a + 1) / 2, 3 * half, y * y))


def log_n_by_quadrature(a, y):
    """The same for large a, where the hypergeometric series are hopeless."""
    a, y = mp.mpf(a), mp.mpf(y)
    s = mp.sqrt(y * y + 2 * a)
    peak = (y + s) / 2 if y > 0 else a / (s - y)
    width = 1 / mp.sqrt(2 * peak * s)

    def density(t):
        return mp.exp(a * t - peak**2 * mp.expm1(2 * t) + 2 * y * peak * mp.expm1(t))

    marks = [width * k for k in range(-18, 19, 3)]
    return mp.log(mp.quad(density, marks)) + a * mp.log(peak) - peak**2 + 2 * y * peak


def laplace_exponent(a, y_threshold, d):
    """int r du, r = N_a'/N_a, and the differences threshold minus reset of r and of u r."""
    top = mp.mpf(y_threshold)
    bottom = top - mp.mpf(d)
    log = log_n if a < 300 else log_n_by_quadrature
    extra = int(max(0, -mp.log10(a))) + (int(2 * abs(mp.log10(mp.mpf(d)))) if d < 1 else 0) + 10
    with mp.workdps(mp.mp.dps + extra):
        high, low = log(a, top), log(a, bottom)
        r_high = 2 * mp.exp(log(mp.mpf(a) + 1, top) - high)
        r_low = 2 * mp.exp(log(mp.mpf(a) + 1, bottom) - low)
        return high - low, r_high - r_low, top * r_high - bottom * r_low


def places(neuron, mu, sigma):
    """Threshold and distance as y, exactly as the doubles say."""
    unit = mp.mpf(sigma) * mp.sqrt(neuron.tau_m)
    threshold = (mp.mpf(neuron.v_threshold) - neuron.v_leak - mp.mpf(mu) * neuron.tau_m) / unit
    return threshold, (mp.mpf(neuron.v_threshold) - neuron.v_reset) / unit


def interval(neuron, mu, sigma):
    """Mean interspike interval 1/r [s]."""
    y, d = places(neuron, mu, sigma)
    return neuron.tau_ref + mp.mpf(neuron.tau_m) * mp.sqrt(mp.pi) * q_integral(y, d) / scale(y)


def cv(neuron, mu, sigma):
    """C_v."""
    y, d = places(neuron, mu, sigma)
    return mp.sqrt(2 * mp.pi * h_integral(y, d)) / scale(y) * neuron.tau_m / interval(neuron, mu, sigma)


def log_isi_laplace(neuron, s, mu, sigma):
    """log P_L(s)."""
    y, d = places(neuron, mu, sigma)
    return -mp.mpf(s) * neuron.tau_ref - laplace_exponent(mp.mpf(s) * neuron.tau_m, y, d)[0]
