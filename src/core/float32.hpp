// Logarithm, exponential and normal variates in single precision without a call to a library: polynomials, in a fixed
// order of operations, so that every machine and every instruction set gives the same bits.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "clones.hpp"

namespace spiking {

EQ_INLINE std::int32_t bits_of(float x) {
  std::int32_t b;
  std::memcpy(&b, &x, sizeof b);
  return b;
}

EQ_INLINE float float_of(std::int32_t b) {
  float x;
  std::memcpy(&x, &b, sizeof x);
  return x;
}

// log x of a normal x > 0, error below 1e-7 (1 + |log x|): x = 2^e (1 + z) with 1 + z in [0.7, 1.4).
EQ_INLINE float log32(float x) {
  const std::int32_t bits = bits_of(x), e = (bits - 0x3f333333) >> 23;
  const float z = float_of(bits - e * (1 << 23)) - 1.0f;
  float p = -0.10343286f;
  p = p * z + 0.16298333f;
  p = p * z - 0.17186595f;
  p = p * z + 0.19892034f;
  p = p * z - 0.24978456f;
  p = p * z + 0.33335245f;
  p = (p * z - 0.5f) * (z * z) + z;
  return static_cast<float>(e) * 0.6931472f + p;
}

// x = n log 2 + r, n by rounding to the grid of 1.5 x 2^23: 2^n, and e^r - 1.
struct Parts32 {
  float power, rest;
};

EQ_INLINE Parts32 exp_parts(float x) {
  constexpr float grid = 12582912.0f;
  const float shifted = x * 1.442695f + grid, n = shifted - grid;
  const float r = (x - n * 0.693359375f) + n * 2.1219444e-4f;
  float p = 8.369343e-3f;
  p = p * r + 0.04190204f;
  p = p * r + 0.16666514f;
  p = p * r + 0.4999911f;
  return {float_of((bits_of(shifted) - bits_of(grid) + 127) * (1 << 23)), (p * r) * r + r};
}

// e^x for -87 <= x <= 88, relative error below 2e-7.
EQ_INLINE float exp32(float x) {
  const Parts32 e = exp_parts(x);
  return (e.rest + 1.0f) * e.power;
}

// 1 - e^{-x} for 0 <= x, relative error below 1e-6 also where x is small.
EQ_INLINE float lost32(float x) {
  const Parts32 e = exp_parts(x < 87.0f ? -x : -87.0f);
  return (1.0f - e.power) - e.power * e.rest;
}

struct Pair32 {
  float first, second;
};

// Two normal variates from two random words (Box & Muller 1958). The radius comes from 24 bits, so that variates end at
// 5.9 standard deviations. The two top bits of `turn` choose the quadrant and the others the angle in it.
EQ_INLINE Pair32 normal_pair(std::uint32_t radius, std::uint32_t turn) {
  const float u = (static_cast<float>(static_cast<std::int32_t>(radius >> 8)) + 0.5f) * 0x1p-24f;
  const float r = std::sqrt(-2.0f * log32(u));
  const float t = static_cast<float>(static_cast<std::int32_t>(turn << 2)) * 3.6572562e-10f;  // (pi/4) 2^-31
  const float q = t * t;
  const float sine = ((-1.9513653e-4f * q + 8.332123e-3f) * q - 0.16666654f) * (q * t) + t;
  const float cosine = (((2.4454814e-5f * q - 1.3887507e-3f) * q + 0.04166665f) * q - 0.5f) * q + 1.0f;
  const bool swapped = (turn & 0x40000000U) != 0;
  const float x = swapped ? -sine : cosine, y = swapped ? cosine : sine;
  const float signed_r = (turn & 0x80000000U) != 0 ? -r : r;
  return {signed_r * x, signed_r * y};
}

}  // namespace spiking
