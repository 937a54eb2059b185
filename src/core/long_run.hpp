// Means of serially correlated series and the variance of these means.
//
// Sums run in eight lanes that are added in a fixed order: every instruction set gives the same result.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "clones.hpp"

namespace long_run {

inline constexpr std::size_t lanes = 8;
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Estimate {
  double value = nan, variance = nan;
};

// The sum of term(i) over i < n.
template <class Term>
EQ_INLINE double sum_of(std::size_t n, Term term) {
  double lane[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (std::size_t k = 0; k < lanes; ++k) lane[k] += term(i + k);
  for (std::size_t k = 0; i < n; ++i, ++k) lane[k] += term(i);
  return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

// Length of the blocks over which a series of mean zero is taken to forget itself: Andrews (1991), AR(1) plug-in for
// the triangular window, at least n^(1/3) and at most n/5.
EQ_INLINE std::size_t block_length(const double* x, std::size_t n) {
  const double power = sum_of(n, [x](std::size_t i) { return x[i] * x[i]; });
  const double lagged = sum_of(n - 1, [x](std::size_t i) { return x[i] * x[i + 1]; });
  const double rho = power > 0.0 ? std::min(std::abs(lagged / power), 0.97) : 0.0;
  const double ratio = 2.0 * rho / (1.0 - rho * rho), size = static_cast<double>(n);
  const double length = std::max(std::cbrt(size), 1.1447 * std::cbrt(ratio * ratio * size));
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::min(std::ceil(length), size / 5.0)));
}

// sums[i] = x[0] + ... + x[i - 1] for i = 0 .. n. Four quarters advance together, since each addition waits for the
// one before.
EQ_INLINE void running_sums(const double* x, std::size_t n, double* sums) {
  const std::size_t quarter = n / 4;
  double total[4] = {};
  for (std::size_t i = 0; i < quarter; ++i)
    for (std::size_t k = 0; k < 4; ++k) sums[k * quarter + i + 1] = total[k] += x[k * quarter + i];
  sums[0] = 0.0;
  double before = total[0];
  for (std::size_t k = 1; k < 4; ++k) {
    double* part = sums + k * quarter + 1;
    for (std::size_t i = 0; i < quarter; ++i) part[i] += before;
    before += total[k];
  }
  for (std::size_t i = 4 * quarter; i < n; ++i) sums[i + 1] = before += x[i];
}

// Variance of the mean of a series of mean zero, by overlapping batch means (Meketon & Schmeiser 1984):
// b/((n - b)(n - b + 1)) sum_j (mean of block j)^2. `sums` has room for n + 1.
EQ_INLINE double variance_of_mean(const double* x, std::size_t n, double* sums) {
  if (n < 2) return nan;
  const std::size_t b = block_length(x, n);
  running_sums(x, n, sums);
  const double power = sum_of(n - b + 1, [sums, b](std::size_t j) {
    const double window = sums[j + b] - sums[j];
    return window * window;
  });
  const double size = static_cast<double>(n), block = static_cast<double>(b);
  return power / (block * (size - block) * (size - block + 1.0));
}

// The mean of a series and its variance; the series is centred in place.
EQ_INLINE Estimate mean_of(double* x, std::size_t n, double* sums) {
  const double mean = sum_of(n, [x](std::size_t i) { return x[i]; }) / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) x[i] -= mean;
  return {mean, variance_of_mean(x, n, sums)};
}

}  // namespace long_run
