// Laplace transform of the interspike interval of the leaky integrate-and-fire neuron,
//   log P_L(s) = -s tau_ref - int_{y_r}^{y_th} r(u) du,   r = N'/N,   N(y) = int_0^inf v^{a-1} e^{-v^2 + 2 y v} dv,
// with a = s tau_m (van Vreeswijk & Farkhooi 2025, Eq. 44; N is a parabolic cylinder function). Since r > 0 there is
// nothing to cancel. One object holds the tables of one a; a panel is filled at first need from positive integrals
// (lif_moments.hpp) and depends on a and its number only, so that no value depends on what else was asked for.
//
// Two forms, after the size of a:
//   a < 1   r/a is smooth below zero. Above zero N(u)/N(0) = 1 + a V(u) with V growing as e^{u^2}: the entire function
//           e^{-u^2} V is tabulated, not log N, whose complex zeros come near the axis as a -> 0. As a -> 0 all becomes
//           the mean interval of lif.hpp.
//   a >= 1  the saddle point at v = (u + s)/2, s = sqrt(u^2 + 2 a), gives log N up to a bounded function of u/s.
#pragma once
#include <algorithm>
#include <cmath>

#include "lazy_panels.hpp"
#include "lif.hpp"
#include "lif_moments.hpp"

namespace equipoise {

// Differences, threshold minus reset, of r and of u r.
struct LogSlope {
  double plain, weighted;
};

// Sum of f over Gauss's nodes v in (0, d), times d.
template <class F>
double gauss(double d, const F& f) {
  double sum = 0.0;
  for (int i = 0; i < 8; ++i) sum += gauss_weight[i] * f(d * gauss_node[i]);
  return sum * d;
}

// ---- a < 1 --------------------------------------------------------------------------------------

class SmallLaplace {
 public:
  void reset(double a) {
    a_ = a;
    log_a_ = std::log(a);
    gamma_ = std::tgamma(1.0 + 0.5 * a);
    below_.clear();
    above_.clear();
    asymptotic_series(a, value_series_);
    asymptotic_series(a + 1.0, slope_series_);
  }

  // int r over the range.
  double exponent(const Range& y) {
    if (y.threshold <= 0.0) return a_ * exponent_below(y);
    if (y.reset <= 0.0)
      return is_short(y) ? gauss(y.d, [&](double v) { return r(y.threshold - v); })
                         : log_growth(y.threshold) + a_ * integral_below(-y.reset);
    return exponent_above(y);
  }

  LogSlope difference(const Range& y) {
    if (is_short(y) || (is_past_crossover(y.reset) && y.d < 0.3 * y.reset)) {
      return {gauss(y.d, [&](double v) { return slope(y.threshold - v).plain; }),
              gauss(y.d, [&](double v) { return slope(y.threshold - v).weighted; })};
    }
    if (y.threshold <= 0.0) {
      const double near = -y.threshold, far = near + y.d;
      return {a_ * (rate_below(near) - rate_below(far)), a_ * (excess_below(near) - excess_below(far))};
    }
    const double high = r(y.threshold), low = r(y.reset);
    return {high - low, y.threshold * high - y.reset * low};
  }

 private:
  enum Below { rate_, integral_, slope_, weighted_slope_, excess_ };
  enum Above { value_, derivative_ };
  static constexpr double top = 8.0;  // beyond it the asymptotic series of N is exact to rounding
  static constexpr int terms = 18;

  // ---- below zero: x = -u -----------------------------------------------------------------------

  // With m and c the mean and variance of v under v^a e^{-v^2 - 2 x v}, r = a/(x + m): values of r/a, of int_0^x r/a
  // beyond log(1 + x/4), of r'/a, (u r)'/a and u r/a + 1, each divided by its behaviour at both ends.
  std::array<double, 5> compute_below(double z) const {
    const double x = 4.0 / z - 4.0, p = 1.0 + x;
    const Moments w = moments(a_ + 1.0, -x);
    const double m = w.mean, c = w.variance, q = p / (x + m);
    return {q, (1.0 + 4.0 / x) * (log_decay(x) - std::log1p(0.25 * x)), q * q * (1.0 - 2.0 * c),
            q * q * p * (m + 2.0 * x * c), q * p * m};
  }

  // int_0^x r(-t) dt/a = -log(N(-x)/N(0))/a.
  double log_decay(double x) const {
    const double loss = loss_below(x) / gamma_;
    if (a_ * loss < 0.5) return -std::log1p(-a_ * loss) / a_;
    return -std::log(mass_below(x) / gamma_) / a_;
  }

  // int v^{a-1} e^{-v^2} (1 - e^{-2 x v}) dv
  double loss_below(double x) const {
    const Bump bump(0.09, [&](double t) {
      const double v = std::exp(t);
      return std::exp(a_ * t - v * v) * -std::expm1(-2.0 * x * v);
    });
    return bump.mass();
  }

  // a N(-x) = 2 int v^a (v + x) e^{-v^2 - 2 x v} dv
  double mass_below(double x) const {
    const double peak = saddle(a_ + 1.0, -x).peak;
    const Bump bump(0.09, [&](double t) {
      const double v = peak * std::exp(t);
      return 2.0 * v * std::exp(a_ * std::log(v) - v * (v + 2.0 * x)) * (v + x);
    });
    return bump.mass();
  }

  double below(Below function, double x) {
    return below_.value(function, compact(x), [this](double z) { return compute_below(z); });
  }

  double rate_below(double x) { return below(rate_, x) / (1.0 + x); }
  double excess_below(double x) { return below(excess_, x) / ((1.0 + x) * (1.0 + x)); }
  double beyond_log(double x) { return below(integral_, x) * (0.25 * x * compact(x)); }
  double integral_below(double x) { return beyond_log(x) + std::log1p(0.25 * x); }

  double exponent_below(const Range& y) {
    const double near = -y.threshold, far = near + y.d;
    if (is_short(y)) return gauss(y.d, [&](double v) { return rate_below(near + v); });
    return beyond_log(far) - beyond_log(near) + std::log1p(y.d / (4.0 + near));
  }

  // ---- above zero -------------------------------------------------------------------------------

  // e^{-u^2} V(u)/u and e^{-u^2} V'(u) at u = 8 z.
  std::array<double, 2> compute_above(double z) const {
    const double u = top * z, peak = saddle(a_ + 1.0, u).peak;
    const double step = std::fmin(0.09, 0.21 / (u + 0.5));
    const auto density = [&](double v) { return std::exp(a_ * std::log(v) - (v - u) * (v - u)); };
    const Bump value(step, [&](double t) {
      const double v = peak * std::exp(t);
      return density(v) * -std::expm1(-2.0 * u * v);
    });
    const Bump derivative(step, [&](double t) {
      const double v = peak * std::exp(t);
      return 2.0 * v * density(v);
    });
    return {value.mass() / (u * gamma_), derivative.mass() / gamma_};
  }

  double above(Above function, double u) {
    return above_.value(function, u / top, [this](double z) { return compute_above(z); });
  }

  // N ~ sqrt(pi) u^{b-1} e^{u^2} sum_k ((1-b)/2)_k ((2-b)/2)_k/k! u^{-2k}  (2F0)
  static void asymptotic_series(double b, double (&series)[terms]) {
    series[0] = 1.0;
    for (int k = 0; k + 1 < terms; ++k)
      series[k + 1] = series[k] * (0.5 * (1.0 - b) + k) * (0.5 * (2.0 - b) + k) / (k + 1);
  }

  static double sum(const double (&series)[terms], double x) {
    double total = 0.0;
    for (int k = terms - 1; k >= 0; --k) total = total * x + series[k];
    return total;
  }

  double scaled_value(double u) {  // e^{-u^2} V(u)
    if (u <= top) return above(value_, u) * u;
    return sqrt_pi * std::pow(u, a_ - 1.0) * sum(value_series_, 1.0 / (u * u)) / gamma_;
  }

  double scaled_slope(double u) {  // e^{-u^2} V'(u)
    if (u <= top) return above(derivative_, u);
    return 2.0 * sqrt_pi * std::pow(u, a_) * sum(slope_series_, 1.0 / (u * u)) / gamma_;
  }

  // e^{-u^2}/a, where e^{-u^2} alone would underflow too.
  double resting(double u) const { return u * u < 600.0 ? std::exp(-u * u) / a_ : std::exp(-u * u - log_a_); }

  static constexpr double dominant = 1e250;  // beyond it the 1 of log(1 + ratio) is dropped, before the ratio overflows

  // log(N(u)/N(0)) = log(1 + a V)
  double log_growth(double u) {
    const double value = scaled_value(u);
    if (u * u < 600.0) return std::log1p(a_ * value / std::exp(-u * u));
    const double rest = resting(u);
    return value < dominant * rest ? std::log1p(value / rest) : u * u + (log_a_ + std::log(value));
  }

  // log(N(y_th)/N(y_r)) = log(1 + a (V_th - V_r)/(1 + a V_r)), reset above zero.
  double exponent_above(const Range& y) {
    const double p = y.d * (y.threshold + y.reset), square = y.threshold * y.threshold;
    const double bottom = scaled_value(y.reset), reset = std::exp(-p) * bottom;
    const double rise =
        is_short(y) ? gauss(y.d, [&](double v) { return growth(v, y.threshold) * scaled_slope(y.threshold - v); })
                    : scaled_value(y.threshold) - reset;
    if (square < 600.0) return std::log1p(a_ * rise / (std::exp(-square) + a_ * reset));
    const double rest = resting(y.threshold) + reset;
    return rise < dominant * rest ? std::log1p(rise / rest) : p + std::log(rise / (resting(y.reset) + bottom));
  }

  double r(double u) {
    if (u <= 0.0) return a_ * rate_below(-u);
    if (u <= top) return a_ * scaled_slope(u) / (std::exp(-u * u) + a_ * scaled_value(u));
    return settled(u).rate * share(u);
  }

  // Above `top`: N'/N as if the growing part of N were all, with its slope; and the share of that part in N.
  struct Settled {
    double rate, slope;
  };

  Settled settled(double u) const {
    const double x = 1.0 / (u * u);
    double f = 0.0, f1 = 0.0, f2 = 0.0;  // the series, its first derivative and half its second
    for (int k = terms - 1; k >= 0; --k) {
      f2 = f2 * x + f1;
      f1 = f1 * x + f;
      f = f * x + value_series_[k];
    }
    const double b = f1 / f, c = 2.0 * f2 / f;
    return {2.0 * u + (a_ - 1.0) / u - 2.0 * b * x / u,
            2.0 + (1.0 - a_) * x + 6.0 * b * x * x + 4.0 * (c - b * b) * x * x * x};
  }

  double share(double u) {
    const double value = scaled_value(u);
    return value / (resting(u) + value);
  }

  bool is_past_crossover(double u) { return u > top && resting(u) < 1e-18 * scaled_value(u); }

  // r' and (u r)'; r' = 2 a + 2 u r - r^2 is the Riccati equation of r.
  LogSlope slope(double u) {
    if (u <= 0.0) {
      const double p = 1.0 - u;
      return {a_ * below(slope_, -u) / (p * p), a_ * below(weighted_slope_, -u) / (p * p * p)};
    }
    const double value = r(u);
    if (u <= top) {
      const double curve = 2.0 * a_ + value * (2.0 * u - value);
      return {curve, value + u * curve};
    }
    const Settled s = settled(u);
    const double part = share(u), other = resting(u) / (resting(u) + scaled_value(u));
    const double curve = part * (s.slope + s.rate * s.rate * other);
    return {curve, value + u * curve};
  }

  double a_ = 0.0, log_a_ = 0.0, gamma_ = 1.0;
  double value_series_[terms] = {}, slope_series_[terms] = {};
  LazyPanels<5, 32> below_;
  LazyPanels<2, 64> above_;
};

// ---- a >= 1 -------------------------------------------------------------------------------------

class LargeLaplace {
 public:
  void reset(double a) {
    a_ = a;
    panels_.clear();
  }

  double exponent(const Range& y) {
    const Saddle high = saddle(a_, y.threshold);
    if (y.d < 0.25 * high.s) return gauss(y.d, [&](double v) { return r(y.threshold - v); });
    const Saddle low = saddle(a_, y.reset);
    // Differences of peak and s in closed form, so that the leading terms keep all digits.
    const double both = high.peak + low.peak, share = y.d / (high.s + low.s), rise = share * both;
    const double change = share * (y.threshold + y.reset) / low.s;  // of s, over its value at reset
    const double log_s = std::fabs(change) < 0.5 ? std::log1p(change) : std::log(high.s / low.s);
    return rise * both + (a_ - 0.5) * std::log1p(rise / low.peak) - 0.5 * log_s + value(mass_, y.threshold, high.s) -
           value(mass_, y.reset, low.s);
  }

  LogSlope difference(const Range& y) {
    const Saddle high = saddle(a_, y.threshold);
    if (y.d < 0.25 * high.s) {
      return {gauss(y.d, [&](double v) { return slope(y.threshold - v).plain; }),
              gauss(y.d, [&](double v) { return slope(y.threshold - v).weighted; })};
    }
    return {r(y.threshold) - r(y.reset), excess(y.threshold) - excess(y.reset)};
  }

 private:
  enum Function { mass_, rate_, slope_, weighted_slope_, excess_ };

  // At u/s = 2 z - 1, what the saddle point leaves: log N, r, r', (u r)' and u r + a over their leading forms.
  std::array<double, 5> compute(double z) const {
    const double p = 2.0 * z - 1.0, u = p * std::sqrt(0.5 * a_ / (z * (1.0 - z)));
    const Saddle at = saddle(a_, u);
    const Moments w = moments(a_, u);
    double rate, curve, weighted, excess;
    if (u > 0.0) {
      rate = 2.0 * w.mean;
      curve = 4.0 * w.variance;
      weighted = rate + u * curve;
      excess = a_ + u * rate;
    } else {  // r = a/(x + m), with m and c of v under v^a e^{-v^2 + 2 u v}
      const Moments next = moments(a_ + 1.0, u);
      const double m = next.mean, c = next.variance, q = 1.0 / (m - u);
      rate = a_ * q;
      curve = a_ * q * q * (1.0 - 2.0 * c);
      weighted = a_ * q * q * (m - 2.0 * u * c);
      excess = a_ * q * m;
    }
    const double v = at.peak, s = at.s;
    return {std::log(w.mass * std::sqrt(v * s / M_PI)), rate / (2.0 * v), curve * s / (2.0 * v),
            weighted * s / (4.0 * v * v), excess / (2.0 * v * v)};
  }

  // Half of 1 + u/s, without cancellation below zero.
  double value(Function function, double u, double s) {
    const double z = u > 0.0 ? 0.5 * (1.0 + u / s) : a_ / (s * (s - u));
    return panels_.value(function, z, [this](double place) { return compute(place); });
  }

  double r(double u) {
    const Saddle at = saddle(a_, u);
    return 2.0 * at.peak * value(rate_, u, at.s);
  }

  double excess(double u) {
    const Saddle at = saddle(a_, u);
    return 2.0 * at.peak * at.peak * value(excess_, u, at.s);
  }

  LogSlope slope(double u) {
    const Saddle at = saddle(a_, u);
    const double lead = 2.0 * at.peak / at.s;
    return {lead * value(slope_, u, at.s), 2.0 * at.peak * lead * value(weighted_slope_, u, at.s)};
  }

  double a_ = 1.0;
  LazyPanels<5, 64> panels_;
};

}  // namespace equipoise
