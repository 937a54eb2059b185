// Event-driven calcium: exact decay between spikes, C -> kept C + influx at a spike (Theorem 1), and the time integrals
// of C, C^2, C/(K + C) and C^2/(D + C^2), each exact over a stretch that starts at C+ and ends at C-:
//   tau (C+ - C-),  tau/2 (C+^2 - C-^2),  tau ln((K + C+)/(K + C-)),  tau/2 ln((D + C+^2)/(D + C-^2)).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "arrays.hpp"
#include "clones.hpp"

namespace {

// e^x for x <= 0 to one ulp, without branches so that loops vectorise; 0 below -700. n ln2_high is exact.
EQ_INLINE double decay(double x) {
  constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52 rounds to an integer
  const double clipped = x < -700.0 ? -700.0 : x;
  const double scaled = clipped * 1.4426950408889634074 + shift, n = scaled - shift;
  const double r = (clipped - n * ln2_high) - n * ln2_low;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * (r * r) + r + 1.0;
  std::int64_t bits;
  std::memcpy(&bits, &scaled, sizeof bits);
  const std::uint64_t exponent = (static_cast<std::uint64_t>(bits) + 1023u) << 52;
  double power;
  std::memcpy(&power, &exponent, sizeof power);
  return x < -700.0 ? 0.0 : p * power;
}

constexpr std::size_t block = 1024;

EQ_CLONES void decays(const double* times, double before, double rate, std::size_t n, double* out) {
  if (n == 0) return;
  out[0] = decay(-(times[0] - before) * rate);
  for (std::size_t i = 1; i < n; ++i) out[i] = decay(-(times[i] - times[i - 1]) * rate);
}

struct Sensor {
  double tau, kept, influx;
};

struct Sums {
  double mean = 0.0, second = 0.0, michaelis = 0.0, hill = 0.0;
};

// Half-saturations K and D; a NaN leaves the saturating integrals out.
struct Saturation {
  double k_m, k_d;
  bool wanted() const { return k_m == k_m; }
};

inline void stretch(Sums& s, double high, double low, const Saturation& sat) {
  const double drop = high - low, both = drop * (high + low);
  s.mean += drop;
  s.second += both;
  if (sat.wanted()) {
    s.michaelis += std::log1p(drop / (sat.k_m + low));
    s.hill += std::log1p(both / (sat.k_d + low * low));
  }
}

inline void add(Sums& total, const Sums& part) {
  total.mean += part.mean;
  total.second += part.second;
  total.michaelis += part.michaelis;
  total.hill += part.hill;
}

// One train over [start, stop]; returns C at stop. Partial sums per block keep the rounding at that of a block.
double integrate(const Sensor& q, const double* times, std::size_t n, double start, double stop, double c,
                 const Saturation& sat, Sums& total) {
  std::array<double, block> e;
  double before = start;
  for (std::size_t first = 0; first < n; first += block) {
    const std::size_t m = std::min(block, n - first);
    decays(times + first, before, 1.0 / q.tau, m, e.data());
    before = times[first + m - 1];
    Sums part;
    for (std::size_t i = 0; i < m; ++i) {
      const double low = c * e[i];
      stretch(part, c, low, sat);
      c = q.kept * low + q.influx;
    }
    add(total, part);
  }
  const double last = c * std::exp(-(stop - before) / q.tau);
  stretch(total, c, last, sat);
  return last;
}

void write(const Sums& s, double tau, double* out) {
  out[0] = tau * s.mean;
  out[1] = 0.5 * tau * s.second;
  out[2] = tau * s.michaelis;
  out[3] = 0.5 * tau * s.hill;
}

// out: the four integrals and C at `stop`.
void calcium_integrals(double tau, double kept, double influx, In times, double start, double stop, double initial,
                       double k_m, double k_d, Out out) {
  same_size(out.size(), 5);
  Sums total;
  out.data()[4] =
      integrate({tau, kept, influx}, times.data(), times.size(), start, stop, initial, {k_m, k_d}, total);
  write(total, tau, out.data());
}

// Several units at once, spikes in order of time: integrals over [from, stop] after a warm-up that begins at start.
// out holds four numbers per unit; units must lie in [0, out.size()/4).
void calcium_integrals_units(double tau, double kept, double influx, In times, IndexIn units, double start, double from,
                             double stop, double initial, double k_m, double k_d, Out out) {
  same_size(times.size(), units.size());
  same_size(out.size() % 4, 0);
  const std::size_t n = out.size() / 4;
  const Saturation sat{k_m, k_d};
  std::vector<double> value(n, initial), since(n, start);
  std::vector<Sums> total(n);
  auto advance = [&](std::size_t u, double t) {
    if (since[u] < from) {  // warm-up: decay without counting
      const double reached = std::min(t, from);
      value[u] *= std::exp(-(reached - since[u]) / tau);
      since[u] = reached;
    }
    if (t > since[u]) {
      const double low = value[u] * std::exp(-(t - since[u]) / tau);
      stretch(total[u], value[u], low, sat);
      value[u] = low;
      since[u] = t;
    }
  };
  for (std::size_t i = 0; i < times.size(); ++i) {
    const std::int64_t index = units.data()[i];
    if (index < 0 || static_cast<std::size_t>(index) >= n) throw std::invalid_argument("equipoise._core: unit index");
    const auto u = static_cast<std::size_t>(index);
    advance(u, times.data()[i]);
    value[u] = kept * value[u] + influx;
  }
  for (std::size_t u = 0; u < n; ++u) {
    advance(u, stop);
    write(total[u], tau, out.data() + 4 * u);
  }
}

// C at the sorted times `at`, after the spikes that coincide with them.
void calcium_trace(double tau, double kept, double influx, In times, double start, double initial, In at, Out out) {
  same_size(at.size(), out.size());
  double c = initial, since = start;
  std::size_t next = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    for (; next < times.size() && times.data()[next] <= at.data()[i]; ++next) {
      c = kept * c * std::exp(-(times.data()[next] - since) / tau) + influx;
      since = times.data()[next];
    }
    out.data()[i] = c * std::exp(-(at.data()[i] - since) / tau);
  }
}

}  // namespace

void bind_calcium(nb::module_& m) {
  m.def("calcium_integrals", &calcium_integrals, nb::arg("tau"), nb::arg("retention"), nb::arg("influx"),
        nb::arg("times"), nb::arg("start"), nb::arg("stop"), nb::arg("initial"), nb::arg("k_m"), nb::arg("k_d"),
        nb::arg("out"));
  m.def("calcium_integrals_units", &calcium_integrals_units, nb::arg("tau"), nb::arg("retention"), nb::arg("influx"),
        nb::arg("times"), nb::arg("units"), nb::arg("start"), nb::arg("begin"), nb::arg("stop"), nb::arg("initial"),
        nb::arg("k_m"), nb::arg("k_d"), nb::arg("out"));
  m.def("calcium_trace", &calcium_trace, nb::arg("tau"), nb::arg("retention"), nb::arg("influx"), nb::arg("times"),
        nb::arg("start"), nb::arg("initial"), nb::arg("at"), nb::arg("out"));
}
