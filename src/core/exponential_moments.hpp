// Positive functions of z >= 0 that carry the first two moments of a Wiener process between a reflecting bound and a
// threshold. Each is an integral with a positive integrand; the closed form cancels for small z, the power series of
// e^{mz} f(z) has positive coefficients c_n/n! only. Together they hold ten ulp for every z.
#pragma once
#include <array>
#include <cmath>

namespace moments {

constexpr int terms = 38;
using Table = std::array<double, terms>;

// Coefficients c(n)/n! for n = p, p+1, ... of the series in z^{n-p}.
template <class F>
Table series(int p, F c) {
  Table t{};
  double factorial = 1.0;
  for (int n = 2; n < p; ++n) factorial *= n;
  for (int j = 0; j < terms; ++j) {
    const int n = p + j;
    factorial *= n;
    t[static_cast<std::size_t>(j)] = c(n) / factorial;
  }
  return t;
}

inline double sum(const Table& t, double z) {
  double r = t[terms - 1];
  for (std::size_t j = terms - 1; j-- > 0;) r = std::fma(r, z, t[j]);
  return r;
}

inline double two(int n) { return std::ldexp(1.0, n); }

constexpr double small = 2.0;

// int_0^1 e^{-zy} dy
inline double flat(double z) { return z == 0.0 ? 1.0 : -std::expm1(-z) / z; }

// int_0^1 y e^{-zy} dy
inline double rising(double z) {
  static const Table t = series(2, [](int) { return 1.0; });
  if (z < small) return std::exp(-z) * sum(t, z);
  return (1 - (1 + z) * std::exp(-z)) / z / z;
}

// int_0^1 y^2 e^{-zy} dy
inline double rising2(double z) {
  static const Table t = series(3, [](int) { return 2.0; });
  if (z < small) return std::exp(-z) * sum(t, z);
  return (2 - (2 + z * (2 + z)) * std::exp(-z)) / (z * z * z);
}

// int_0^1 (1 - y) e^{-zy} dy
inline double falling(double z) {
  static const Table t = series(2, [](int n) { return n - 1.0; });
  if (z < small) return std::exp(-z) * sum(t, z);
  return (z - 1 + std::exp(-z)) / z / z;
}

// int_0^1 y (1 - y) e^{-zy} dy
inline double bump(double z) {
  static const Table t = series(3, [](int n) { return n - 2.0; });
  if (z < small) return std::exp(-z) * sum(t, z);
  return (z - 2 + (2 + z) * std::exp(-z)) / z / z / z;
}

// int_0^1 y^2 (1 - y) e^{-zy} dy
inline double bump2(double z) {
  static const Table t = series(4, [](int n) { return 2.0 * n - 6.0; });
  if (z < small) return std::exp(-z) * sum(t, z);
  return (2 * z - 6 + (6 + z * (4 + z)) * std::exp(-z)) / (z * z * z * z);
}

// h(z) = 2 e^{-z} (sinh z - z)/z^3
inline double square(double z) {
  static const Table t = series(3, [](int n) { return two(n) - 2.0 * n; });
  const double e = std::exp(-z);
  if (z < small) return e * e * sum(t, z);
  return (1 - e * (e + 2 * z)) / (z * z * z);
}

// -h'(z)
inline double square_slope(double z) {
  static const Table t = series(4, [](int n) { return 3 * two(n) - 4.0 * n - 2.0 * n * (n - 1); });
  const double e = std::exp(-z);
  if (z < small) return e * e * sum(t, z);
  return (3 - e * ((3 + 2 * z) * e + z * (4 + 2 * z))) / (z * z * z * z);
}

// w(z) = int_0^1 y^3 h(zy) dy
inline double area(double z) {
  static const Table t = series(4, [](int n) { return two(n - 1) * (n - 5.0) + 2.0 + 2.0 * n; });
  const double e = std::exp(-z);
  if (z < small) return e * e * sum(t, z);
  return (z - 2.5 + e * (0.5 * e + 2 * (1 + z))) / (z * z * z * z);
}

// -w'(z)
inline double area_slope(double z) {
  static const Table t =
      series(5, [](int n) { return 3.0 * n * two(n - 1) - 10 * two(n) + 8.0 + 8.0 * n + 2.0 * n * (n - 1); });
  const double e = std::exp(-z);
  if (z < small) return e * e * sum(t, z);
  return (3 * z - 10 + e * ((2 + z) * e + 8 + z * (8 + 2 * z))) / (z * z * z * z * z);
}

// e^{-2z} w(-z)
inline double mirror(double z) {
  static const Table t = series(4, [](int n) { return two(n - 1) + 2.0 - 2.0 * n; });
  const double e = std::exp(-z);
  if (z < small) return e * e * sum(t, z);
  return (0.5 + e * (2 * (1 - z) - (z + 2.5) * e)) / (z * z * z * z);
}

// -d/dz of the mirror
inline double mirror_slope(double z) {
  static const Table t = series(5, [](int n) { return 2 * two(n) + 8.0 - 4.0 * n - 2.0 * n * (n - 1); });
  const double e = std::exp(-z);
  if (z < small) return e * e * sum(t, z);
  return (2 + e * (8 - z * (4 + 2 * z) - (10 + z * (8 + 2 * z)) * e)) / (z * z * z * z * z);
}

}  // namespace moments
