// Sums and integrals of powers, sum_{k = low .. high} (k/unit)^-a, with their first two derivatives in a.
//
// The first terms one by one, the rest by the Euler-Maclaurin formula (NIST DLMF 2.10.1). high may be infinite where
// a > 1. `unit` keeps large values of large exponents from underflow.
#pragma once
#include <cmath>

namespace powers {

// A function of a with its first two derivatives.
struct Jet {
  double value, first, second;
};

inline Jet operator+(const Jet& f, const Jet& g) {
  return {f.value + g.value, f.first + g.first, f.second + g.second};
}
inline Jet operator*(const Jet& f, const Jet& g) {
  return {f.value * g.value, f.first * g.value + f.value * g.first,
          f.second * g.value + 2.0 * f.first * g.first + f.value * g.second};
}
inline Jet operator*(double c, const Jet& f) { return {c * f.value, c * f.first, c * f.second}; }

// (x/unit)^-a, of which log x - log unit is given.
inline Jet power(double log_x, double a) {
  const double value = std::exp(-a * log_x);
  return {value, -log_x * value, log_x * log_x * value};
}

// 1/(a - 1)
inline Jet over_a_minus_one(double a) {
  const double u = 1.0 / (a - 1.0);
  return {u, -u * u, 2.0 * u * u * u};
}

// (e^z - 1)/z at z = (1 - a) L, by its series where the closed form loses digits.
inline Jet growth(double a, double L) {
  const double z = (1.0 - a) * L;
  double value = 0.0, first = 0.0, second = 0.0;
  if (std::fabs(z) < 1.0) {
    double term = 1.0;  // z^n/(n + 1)! without its powers, by n
    double p0 = 1.0, p1 = 0.0, p2 = 0.0;
    for (int n = 0; n < 24; ++n) {
      term /= n + 1.0;
      value += term * p0;
      first += term * n * p1;
      second += term * n * (n - 1.0) * p2;
      p2 = n >= 1 ? p1 : 0.0;
      p1 = p0;
      p0 *= z;
    }
  } else {
    const double e = std::exp(z);
    value = (e - 1.0) / z;
    first = (e - value) / z;
    second = (e - 2.0 * first) / z;
  }
  return {value, -L * first, L * L * second};
}

// Integral of (t/unit)^-a from x to y.
inline Jet area(double a, double x, double y, double unit) {
  const Jet at_x = power(std::log(x / unit), a);
  if (std::isinf(y)) return x * (at_x * over_a_minus_one(a));
  const double L = std::log(y / x);
  return (x * L) * (at_x * growth(a, L));
}

// What the Euler-Maclaurin formula adds for the end x of f(t) = (t/unit)^-a,
// f(x)/2 + sign sum_j B_2j/(2j)! a (a + 1) .. (a + 2j - 2) f(x) x^(1 - 2j), with sign +1 at the lower end.
inline Jet end_of(double a, double x, double unit, double sign) {
  static constexpr double b[] = {1.0 / 12.0, -1.0 / 720.0, 1.0 / 30240.0, -1.0 / 1209600.0, 1.0 / 47900160.0};
  Jet total{0.5, 0.0, 0.0}, rising{a, 1.0, 0.0};
  double x_power = 1.0 / x;
  for (int j = 0; j < 5; ++j) {
    total = total + (sign * b[j] * x_power) * rising;
    rising = rising * Jet{a + 2 * j + 1, 1.0, 0.0} * Jet{a + 2 * j + 2, 1.0, 0.0};
    x_power /= x * x;
  }
  return power(std::log(x / unit), a) * total;
}

inline Jet sum(double a, double low, double high, double unit) {
  const double from = 12.0 + 4.0 * std::fabs(a);  // the terms of the formula fall as ((a + 2j)/(2 pi k))^2
  Jet total{0.0, 0.0, 0.0};
  double k = low;
  for (; k <= high && (k < from || high - k < 4.0); ++k) total = total + power(std::log(k / unit), a);
  if (k > high) return total;
  total = total + area(a, k, high, unit) + end_of(a, k, unit, 1.0);
  return std::isinf(high) ? total : total + end_of(a, high, unit, -1.0);
}

}  // namespace powers
