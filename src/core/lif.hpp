// The leaky integrate-and-fire neuron under white noise: mean and variance of the interspike interval, exactly.
//
// Both are integrals from reset to threshold of functions without parameters (Brunel 2000; van Vreeswijk & Farkhooi
// 2025, Eqs. 46 and 47), with y = (v - v_leak - mu tau_m)/(sigma sqrt(tau_m)):
//   1/r   = tau_ref + tau_m sqrt(pi) int q(u) du,      q(u) = erfcx(-u)
//   C_v^2 = 2 pi (r tau_m)^2 int h(u) du,              h(u) = e^{u^2} int_{-inf}^u e^{v^2} erfc(-v)^2 dv
// Antiderivatives are tabulated (lif_tables.hpp); where the range is short, their difference would cancel and Gauss's
// rule is used on the integrand. For y_th > 0, q grows as e^{u^2} and h as e^{2 u^2}: everything is then scaled by
// e^{-y_th^2} and e^{-2 y_th^2}, so that nothing overflows. Every sum has terms of one sign or mild cancellation.
#pragma once
#include <cmath>

#include "clones.hpp"
#include "lif_tables.hpp"
#include "panels.hpp"

namespace equipoise {

inline constexpr double sqrt_pi = 1.7724538509055160273;
inline constexpr double two_pi = 6.2831853071795864769;

// Reset and threshold as y, and their distance; d is given and never formed as a difference of the other two.
struct Range {
  double reset, threshold, d;
};

struct LifNeuron {
  double v_threshold, v_reset, v_leak, tau_m, tau_ref;
};

// Values at one end, or over one range, of the two functions q and h, scaled as said above.
struct Pair {
  double q, h;
};

EQ_INLINE double compact(double x) { return 4.0 / (4.0 + x); }

// ---- the universal functions on x >= 0 ----------------------------------------------------------

EQ_INLINE double erfcx_at(double x) { return panel_value(lif_tables::erfcx, compact(x)) / (1.0 + x); }

EQ_INLINE double erfcx_slope_at(double x) {  // -erfcx'(x)/2
  const double s = 1.0 + x;
  return panel_value(lif_tables::erfcx_slope, compact(x)) / (s * s);
}

EQ_INLINE double erfcx_curve_at(double x) {  // (x erfcx(x))' = erfcx''(x)/2
  const double s = 1.0 + x;
  return panel_value(lif_tables::erfcx_curve, compact(x)) / (s * s * s);
}

EQ_INLINE double h_below_at(double x) {  // h(-x)
  const double s = 1.0 + x;
  return panel_value(lif_tables::h_below, compact(x)) / (s * s * s);
}

EQ_INLINE double h_below_slope_at(double x) {  // h'(-x)
  const double s = (1.0 + x) * (1.0 + x);
  return panel_value(lif_tables::h_below_slope, compact(x)) / (s * s);
}

EQ_INLINE double h_below_integral_at(double x) {  // int_x^inf h(-y) dy
  const double s = 1.0 + x;
  return panel_value(lif_tables::h_below_integral, compact(x)) / (s * s);
}

EQ_INLINE double h_above_at(double u) { return panel_value(lif_tables::h_above, compact(u)) / (1.0 + u); }

EQ_INLINE double h_above_integral_at(double u) {  // e^{-2 u^2} int_0^u h
  const double s = 1.0 + u;
  return panel_value(lif_tables::h_above_integral, compact(u)) * u / (s * s * s);
}

EQ_INLINE double q_above_integral_at(double u) {  // e^{-u^2} int_0^u q
  return panel_value(lif_tables::q_above_integral, compact(u)) * u / (1.0 + 2.0 * u * u);
}

EQ_INLINE double erfcx_excess_at(double x) {  // int_0^x erfcx - log(1 + x/4)/sqrt(pi)
  const double z = compact(x);
  return panel_value(lif_tables::erfcx_excess, z) * (0.25 * x * z);
}

// ---- integrals over a range ---------------------------------------------------------------------

// Whether the range is so short that Gauss's rule beats a difference of antiderivatives.
EQ_INLINE bool is_short(const Range& y) {
  if (y.threshold <= 0.0) return y.d < 0.3 * (1.0 - y.threshold);
  return y.d < 0.3 && y.d * (std::fabs(y.reset) + y.threshold) < 1.0;
}

// e^{-y_th^2} for y_th > 0, otherwise 1: the scale of q; that of h is its square.
EQ_INLINE double scale_of(const Range& y) {
  return y.threshold > 0.0 ? std::exp(-y.threshold * y.threshold) : 1.0;
}

// e^{u^2 - y_th^2} at u = y_th - v.
EQ_INLINE double growth(double v, double threshold) { return std::exp(-v * (2.0 * threshold - v)); }

EQ_INLINE double q_integral_short(const Range& y, double scale) {
  double sum = 0.0;
  if (y.threshold <= 0.0) {
    for (int i = 0; i < 8; ++i) sum += gauss_weight[i] * erfcx_at(y.d * gauss_node[i] - y.threshold);
    return sum * y.d;
  }
  for (int i = 0; i < 8; ++i) {
    const double v = y.d * gauss_node[i], u = y.threshold - v;
    const double q = u > 0.0 ? 2.0 * growth(v, y.threshold) - scale * erfcx_at(u) : scale * erfcx_at(-u);
    sum += gauss_weight[i] * q;
  }
  return sum * y.d;
}

// int q, scaled.
EQ_INLINE double q_integral(const Range& y, double scale) {
  if (is_short(y)) return q_integral_short(y, scale);
  if (y.threshold <= 0.0) {
    const double a = -y.threshold, b = a + y.d;
    return erfcx_excess_at(b) - erfcx_excess_at(a) + std::log1p(y.d / (4.0 + a)) / sqrt_pi;
  }
  const double above = q_above_integral_at(y.threshold);
  if (y.reset <= 0.0) return above + scale * (erfcx_excess_at(-y.reset) + std::log1p(-y.reset / 4.0) / sqrt_pi);
  return above - std::exp(-y.d * (y.threshold + y.reset)) * q_above_integral_at(y.reset);
}

EQ_INLINE double h_integral_short(const Range& y, double scale) {
  double sum = 0.0;
  if (y.threshold <= 0.0) {
    for (int i = 0; i < 8; ++i) sum += gauss_weight[i] * h_below_at(y.d * gauss_node[i] - y.threshold);
    return sum * y.d;
  }
  for (int i = 0; i < 8; ++i) {
    const double v = y.d * gauss_node[i], u = y.threshold - v, e = growth(v, y.threshold);
    sum += gauss_weight[i] * (u > 0.0 ? e * e * h_above_at(u) : scale * scale * h_below_at(-u));
  }
  return sum * y.d;
}

// int h, scaled.
EQ_INLINE double h_integral(const Range& y, double scale) {
  if (is_short(y)) return h_integral_short(y, scale);
  if (y.threshold <= 0.0) return h_below_integral_at(-y.threshold) - h_below_integral_at(y.d - y.threshold);
  const double above = h_above_integral_at(y.threshold);
  if (y.reset <= 0.0) return above + scale * scale * (h_below_integral_at(0.0) - h_below_integral_at(-y.reset));
  return above - std::exp(-2.0 * y.d * (y.threshold + y.reset)) * h_above_integral_at(y.reset);
}

// ---- differences over a range: the slopes of the integrals --------------------------------------

// The difference threshold minus reset of f and of u f, for f = q and f = h.
struct Difference {
  Pair plain, weighted;
};

// f' and (u f)' at u = y_th - v, scaled.
EQ_INLINE Difference slopes(double v, double threshold, double scale) {
  const double u = threshold - v, x = std::fabs(u);
  if (u <= 0.0) {
    const double h = h_below_at(x), slope = h_below_slope_at(x), square = scale * scale;
    return {{2.0 * scale * erfcx_slope_at(x), square * slope}, {scale * erfcx_curve_at(x), square * (h - x * slope)}};
  }
  const double e = growth(v, threshold), h = e * e * h_above_at(u), q = 2.0 * e - scale * erfcx_at(u);
  const double slope = 2.0 * u * h + q * q;
  return {{4.0 * u * e + 2.0 * scale * erfcx_slope_at(u), slope},
          {2.0 * e * (1.0 + 2.0 * u * u) - scale * erfcx_curve_at(u), h + u * slope}};
}

EQ_INLINE Difference difference_short(const Range& y, double scale) {
  Difference sum{{0.0, 0.0}, {0.0, 0.0}};
  for (int i = 0; i < 8; ++i) {
    const Difference s = slopes(y.d * gauss_node[i], y.threshold, scale);
    const double weight = gauss_weight[i] * y.d;
    sum.plain.q += weight * s.plain.q;
    sum.plain.h += weight * s.plain.h;
    sum.weighted.q += weight * s.weighted.q;
    sum.weighted.h += weight * s.weighted.h;
  }
  return sum;
}

// q and h at reset or threshold; v is the distance from threshold.
EQ_INLINE Pair values(double u, double v, double threshold, double scale) {
  if (u <= 0.0) return {scale * erfcx_at(-u), scale * scale * h_below_at(-u)};
  const double e = growth(v, threshold);
  return {2.0 * e - scale * erfcx_at(u), e * e * h_above_at(u)};
}

EQ_INLINE Difference difference(const Range& y, double scale) {
  if (is_short(y)) return difference_short(y, scale);
  const double reset = y.threshold <= 0.0 ? y.threshold - y.d : y.reset;
  const Pair top = values(y.threshold, 0.0, y.threshold, scale), bottom = values(reset, y.d, y.threshold, scale);
  Difference out{{top.q - bottom.q, top.h - bottom.h},
                 {y.threshold * top.q - reset * bottom.q, y.threshold * top.h - reset * bottom.h}};
  // u q(u) tends to -1/sqrt(pi) far below: there the part that varies is tabulated instead.
  if (y.threshold <= 0.0) out.weighted.q = erfcx_slope_at(-y.threshold) - erfcx_slope_at(-reset);
  return out;
}

// ---- the neuron ---------------------------------------------------------------------------------

// v - v_leak - mu tau_m with one rounding where it cancels.
EQ_INLINE double above_mean(const LifNeuron& n, double v, double mu) { return std::fma(-mu, n.tau_m, v - n.v_leak); }

EQ_INLINE Range range_of(const LifNeuron& n, double mu, double sigma) {
  const double unit = sigma * std::sqrt(n.tau_m);
  return {above_mean(n, n.v_reset, mu) / unit, above_mean(n, n.v_threshold, mu) / unit,
          (n.v_threshold - n.v_reset) / unit};
}

// Noise too small to see: sigma = 0, or so small that powers of y would leave the range of numbers.
EQ_INLINE bool is_noise_free(const Range& y, double sigma) {
  return sigma == 0.0 || !(std::fabs(y.threshold) <= 1e60 && y.d <= 1e150);
}

// Interval without noise; infinite where the mean potential does not exceed threshold.
EQ_INLINE double deterministic_interval(const LifNeuron& n, double mu) {
  const double excess = -above_mean(n, n.v_threshold, mu);
  if (!(excess > 0.0)) return INFINITY;
  return n.tau_ref + n.tau_m * std::log1p((n.v_threshold - n.v_reset) / excess);
}

// C_v/sigma as sigma -> 0 above threshold: r tau_m sqrt(tau_m (1/a^2 - 1/b^2)/2), a and b the distances of threshold
// and reset from the mean potential.
EQ_INLINE double deterministic_cv_slope(const LifNeuron& n, double mu) {
  const double a = -above_mean(n, n.v_threshold, mu), d = n.v_threshold - n.v_reset, b = a + d;
  return n.tau_m / deterministic_interval(n, mu) * std::sqrt(0.5 * n.tau_m * d * (a + b)) / a / b;
}

EQ_INLINE double scaled_interval(const LifNeuron& n, const Range& y, double scale) {
  return n.tau_m * sqrt_pi * q_integral(y, scale) + n.tau_ref * scale;
}

EQ_INLINE double log_rate(const LifNeuron& n, double mu, double sigma) {
  const Range y = range_of(n, mu, sigma);
  if (is_noise_free(y, sigma)) {
    const double interval = deterministic_interval(n, mu);
    if (std::isfinite(interval)) return -std::log(interval);
    return y.threshold > 0.0 && sigma > 0.0 ? -y.threshold * y.threshold : -INFINITY;
  }
  const double above = y.threshold > 0.0 ? y.threshold : 0.0;
  return -above * above - std::log(scaled_interval(n, y, scale_of(y)));
}

EQ_INLINE double rate(const LifNeuron& n, double mu, double sigma) {
  const Range y = range_of(n, mu, sigma);
  if (is_noise_free(y, sigma)) return 1.0 / deterministic_interval(n, mu);
  const double scale = scale_of(y);
  if (scale < 1e-290) return std::exp(log_rate(n, mu, sigma));
  return scale / scaled_interval(n, y, scale);
}

EQ_INLINE double cv(const LifNeuron& n, double mu, double sigma) {
  const Range y = range_of(n, mu, sigma);
  if (is_noise_free(y, sigma)) {
    const double excess = -above_mean(n, n.v_threshold, mu);
    if (excess > 0.0) return sigma == 0.0 ? 0.0 : sigma * deterministic_cv_slope(n, mu);
    return excess < 0.0 ? 1.0 : 0.0;
  }
  const double scale = scale_of(y);
  return std::sqrt(two_pi * h_integral(y, scale)) * n.tau_m / scaled_interval(n, y, scale);
}

struct Gradient {
  double by_mu, by_sigma;
};

EQ_INLINE Gradient log_rate_gradient(const LifNeuron& n, double mu, double sigma) {
  const Range y = range_of(n, mu, sigma);
  if (is_noise_free(y, sigma)) {
    const double a = -above_mean(n, n.v_threshold, mu), d = n.v_threshold - n.v_reset;
    if (!(a > 0.0)) return {INFINITY, INFINITY};
    return {n.tau_m * n.tau_m * d / a / (a + d) / deterministic_interval(n, mu), 0.0};
  }
  const double scale = scale_of(y);
  const Difference f = difference(y, scale);
  const double gain = n.tau_m * sqrt_pi / (scaled_interval(n, y, scale) * sigma);
  return {gain * std::sqrt(n.tau_m) * f.plain.q, gain * f.weighted.q};
}

EQ_INLINE Gradient cv_gradient(const LifNeuron& n, double mu, double sigma) {
  const Range y = range_of(n, mu, sigma);
  if (is_noise_free(y, sigma)) {
    const double a = -above_mean(n, n.v_threshold, mu);
    if (a == 0.0) return {-INFINITY, INFINITY};
    return {0.0, a > 0.0 ? deterministic_cv_slope(n, mu) : 0.0};
  }
  const double scale = scale_of(y), interval = scaled_interval(n, y, scale), variance = h_integral(y, scale);
  const Difference f = difference(y, scale);
  const double value = std::sqrt(two_pi * variance) * n.tau_m / interval, gain = n.tau_m * sqrt_pi / interval;
  return {value * std::sqrt(n.tau_m) / sigma * (gain * f.plain.q - 0.5 * f.plain.h / variance),
          value / sigma * (gain * f.weighted.q - 0.5 * f.weighted.h / variance)};
}

}  // namespace equipoise
