// Random numbers of the simulators. Uniform bits: xoshiro256++ (Blackman & Vigna 2021, ACM Trans. Math. Softw. 47:36),
// whose four words are the caller's and are handed back, so that a run can be resumed. Normal variates: the ziggurat of
// Marsaglia & Tsang (2000) with 256 layers; layer and abscissa come from different bits (Doornik 2005). The algorithms
// are written here because those of <random> differ between standard libraries.
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "clones.hpp"

struct Ziggurat {
  static constexpr double tail = 3.6541528853610088;  // right edge of the lowest full layer
  static constexpr double area = 0.00492867323399;    // of each of the 256 layers
  std::array<double, 257> edge{};
  std::array<double, 257> density{};

  Ziggurat() {
    const auto bell = [](double x) { return std::exp(-0.5 * x * x); };
    edge[0] = area / bell(tail);
    edge[1] = tail;
    for (std::size_t i = 2; i < 256; ++i) edge[i] = std::sqrt(-2.0 * std::log(area / edge[i - 1] + bell(edge[i - 1])));
    edge[256] = 0.0;
    for (std::size_t i = 0; i < 257; ++i) density[i] = bell(edge[i]);
  }
};

inline const Ziggurat ziggurat{};

struct Random {
  std::array<std::uint64_t, 4> s;

  EQ_INLINE std::uint64_t bits() {
    const auto rotate = [](std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); };
    const std::uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    const std::uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
  }

  // In (0, 1), both ends excluded.
  EQ_INLINE double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }

  EQ_INLINE double exponential() { return -std::log(uniform()); }

  EQ_INLINE double normal() {
    const std::uint64_t word = bits();
    const std::size_t layer = word & 255U;
    const double x = static_cast<double>(static_cast<std::int64_t>(word) >> 10) * 0x1p-53 * ziggurat.edge[layer];
    if (std::fabs(x) < ziggurat.edge[layer + 1]) return x;
    return normal_at_edge(layer, x);
  }

 private:
  double normal_at_edge(std::size_t layer, double x) {
    for (;;) {
      if (layer == 0) return std::copysign(normal_tail(), x);
      const double low = ziggurat.density[layer], high = ziggurat.density[layer + 1];
      if (low + uniform() * (high - low) < std::exp(-0.5 * x * x)) return x;
      const std::uint64_t word = bits();
      layer = word & 255U;
      x = static_cast<double>(static_cast<std::int64_t>(word) >> 10) * 0x1p-53 * ziggurat.edge[layer];
      if (std::fabs(x) < ziggurat.edge[layer + 1]) return x;
    }
  }

  double normal_tail() {
    for (;;) {
      const double beyond = exponential() / Ziggurat::tail;
      if (2.0 * exponential() > beyond * beyond) return Ziggurat::tail + beyond;
    }
  }
};
