// Probabilities of Poisson and binomial counts to full precision at any size, and variates drawn with them.
//
// log p is the saddle-point form of Loader (2000): Stirling's error and deviances, no differences of large logarithms.
// Small means are drawn by inversion, large ones by transformed rejection (Hoermann 1993, Insurance Math. Econ. 12:39;
// J. Stat. Comput. Simul. 46:101) against that log p, gamma variates after Marsaglia & Tsang (2000).
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "random.hpp"

namespace variates {

inline constexpr double two_pi = 6.283185307179586;

// log(k!) - log(sqrt(2 pi k) (k/e)^k), by its series; below 16 from the factorials.
class StirlingErrors {
  std::array<double, 16> small_{};

 public:
  StirlingErrors() {
    double log_factorial = 0.0;
    for (std::size_t i = 1; i < small_.size(); ++i) {
      const double k = static_cast<double>(i);
      log_factorial += std::log(k);
      small_[i] = log_factorial - 0.5 * std::log(two_pi * k) - k * std::log(k) + k;
    }
  }

  double operator()(double k) const {
    if (k < 16.0) return small_[static_cast<std::size_t>(k)];
    const double x = 1.0 / (k * k);
    return (1.0 / 12.0 - x * (1.0 / 360.0 - x * (1.0 / 1260.0 - x * (1.0 / 1680.0 - x / 1188.0)))) / k;
  }
};

inline const StirlingErrors stirling_error{};

// k log(k/m) + m - k >= 0, without cancellation where k is close to m.
inline double deviance(double k, double m) {
  if (std::fabs(k - m) >= 0.1 * (k + m)) return k * std::log(k / m) + m - k;
  const double v = (k - m) / (k + m);
  double sum = (k - m) * v, power = 2.0 * k * v;
  for (int j = 1; j < 1000; ++j) {
    power *= v * v;
    const double next = sum + power / (2 * j + 1);
    if (next == sum) break;
    sum = next;
  }
  return sum;
}

inline double log_poisson(double k, double mean) {
  if (k == 0.0) return -mean;
  if (mean == 0.0) return -HUGE_VAL;
  return -stirling_error(k) - deviance(k, mean) - 0.5 * std::log(two_pi * k);
}

inline double log_binomial(double k, double n, double p) {
  if (k == 0.0) return n == 0.0 ? 0.0 : n * std::log1p(-p);
  if (k == n) return n * std::log(p);
  if (p == 0.0 || p == 1.0) return -HUGE_VAL;
  const double errors = stirling_error(n) - stirling_error(k) - stirling_error(n - k);
  return errors - deviance(k, n * p) - deviance(n - k, n * (1.0 - p)) - 0.5 * std::log(two_pi * k * ((n - k) / n));
}

inline constexpr double inverted = 10.0;  // mean up to which counts are drawn by inversion

// The first k at which the sum of probabilities passes a uniform number; `ratio(k)` = p(k)/p(k - 1).
template <class Ratio>
std::int64_t by_inversion(double none, Ratio ratio, Random& random) {
  for (;;) {
    double left = random.uniform(), p = none;
    std::int64_t k = 0;
    while (left > p && p > 0.0) {
      left -= p;
      p *= ratio(static_cast<double>(++k));
    }
    if (p > 0.0) return k;  // else the sum ended below the number by rounding
  }
}

inline std::int64_t poisson(double mean, Random& random) {
  if (mean <= 0.0) return 0;
  if (mean < inverted) return by_inversion(std::exp(-mean), [mean](double k) { return mean / k; }, random);
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  const double scale = 1.1239 + 1.1328 / (b - 3.4), certain = 0.9277 - 3.6224 / (b - 2.0);
  for (;;) {
    const double u = random.uniform() - 0.5, v = random.uniform(), edge = 0.5 - std::fabs(u);
    const double k = std::floor((2.0 * a / edge + b) * u + mean + 0.43);
    if (edge >= 0.07 && v <= certain) return static_cast<std::int64_t>(k);
    if (k < 0.0 || (edge < 0.013 && v > edge)) continue;
    if (std::log(v * scale / (a / (edge * edge) + b)) <= log_poisson(k, mean)) return static_cast<std::int64_t>(k);
  }
}

inline std::int64_t binomial(double n, double p, Random& random) {
  if (n <= 0.0 || p <= 0.0) return 0;
  if (p > 0.5) return static_cast<std::int64_t>(n) - binomial(n, 1.0 - p, random);
  if (n * p < inverted) {
    const double odds = p / (1.0 - p);
    return by_inversion(std::exp(n * std::log1p(-p)), [=](double k) { return odds * (n + 1.0 - k) / k; }, random);
  }
  const double spread = std::sqrt(n * p * (1.0 - p)), b = 1.15 + 2.53 * spread;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p, alpha = (2.83 + 5.1 / b) * spread, certain = 0.92 - 4.2 / b;
  const auto log_p = [=](double k) { return log_binomial(k, n, p); };
  for (;;) {
    const double u = random.uniform() - 0.5, v = random.uniform(), edge = 0.5 - std::fabs(u);
    const double k = std::floor((2.0 * a / edge + b) * u + n * p + 0.5);
    if (edge >= 0.07 && v <= certain) return static_cast<std::int64_t>(k);
    if (k < 0.0 || k > n) continue;
    const double highest = log_p(std::floor((n + 1.0) * p));
    if (std::log(v * alpha / (a / (edge * edge) + b)) <= log_p(k) - highest) return static_cast<std::int64_t>(k);
  }
}

// Of mean and variance `shape`, at least 1.
inline double gamma(double shape, Random& random) {
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = random.normal(), cube = 1.0 + c * x;
    if (cube <= 0.0) continue;
    const double v = cube * cube * cube;
    if (std::log(random.uniform()) < 0.5 * x * x + d * (1.0 - v + std::log(v))) return d * v;
  }
}

}  // namespace variates
