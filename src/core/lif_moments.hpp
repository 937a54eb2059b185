// Integrals of v^{b-1} e^{-v^2 + 2 u v} over v > 0 by the trapezoid rule in t = log(v/v_0): every term is positive, and
// the rule converges geometrically because the integrand is analytic in a strip and decays at both ends.
#pragma once
#include <cmath>

namespace equipoise {

// A positive integrand with one maximum near t = 0, sampled outwards until it no longer counts.
struct Bump {
  static constexpr int capacity = 2048;
  double step;
  int size = 0;
  double t[capacity], weight[capacity];

  template <class F>
  Bump(double step_, const F& f) : step(step_) {
    double sum = 0.0;
    for (double direction : {1.0, -1.0}) {
      double last = 0.0;
      for (int k = direction > 0.0 ? 0 : 1; size < capacity; ++k) {
        const double place = direction * k * step, value = f(place);
        t[size] = place;
        weight[size++] = value;
        sum += value;
        if (value <= last && value <= 1e-18 * sum) break;
        last = value;
      }
    }
  }

  // Integral of the integrand times g(t).
  template <class G>
  double mean_of(const G& g) const {
    double sum = 0.0;
    for (int i = 0; i < size; ++i) sum += weight[i] * g(t[i]);
    return sum * step;
  }

  double mass() const {
    return mean_of([](double) { return 1.0; });
  }
};

// e^t - 1 - t without cancellation.
inline double exp_beyond_line(double t) {
  if (std::fabs(t) > 0.25) return std::expm1(t) - t;
  double sum = 1.0;
  for (int k = 13; k > 2; --k) sum = 1.0 + sum * t / k;
  return 0.5 * t * t * sum;
}

// Peak of v^b e^{-v^2 + 2 u v}, and s = sqrt(u^2 + 2 b); peak = (u + s)/2 without cancellation.
struct Saddle {
  double peak, s;
};

inline Saddle saddle(double b, double u) {
  const double s = std::sqrt(u * u + 2.0 * b);
  return {u > 0.0 ? 0.5 * (u + s) : b / (s - u), s};
}

// Step of the rule: the strip of e^{-v^2} caps it, a narrow peak of log-width 1/sqrt(2 peak s) asks for less.
inline double step_of(const Saddle& at) { return std::fmin(0.09, 0.3 / std::sqrt(2.0 * at.peak * at.s)); }

// Under v^{b-1} e^{-v^2 + 2 u v}, b >= 1: the integral over the value of v times the integrand at its peak; mean and
// variance of v.
struct Moments {
  double mass, mean, variance;
};

inline Moments moments(double b, double u) {
  const Saddle at = saddle(b, u);
  const double square = at.peak * at.peak, cross = 2.0 * u * at.peak;
  const Bump bump(step_of(at), [&](double t) {
    return std::exp(cross * exp_beyond_line(t) - square * exp_beyond_line(2.0 * t));
  });
  const double mass = bump.mass(), shift = bump.mean_of([](double t) { return std::expm1(t); }) / mass;
  const double spread = bump.mean_of([&](double t) {
    const double off = std::expm1(t) - shift;
    return off * off;
  });
  return {mass, at.peak * (1.0 + shift), square * spread / mass};
}

}  // namespace equipoise
