// Calcium, weights and set points of one cell between two spikes, in closed form. With T the length of the interval,
// I1 and I2 the integrals of C and C^2 over it, and n the number of spikes:
//   calcium, relative:  d log J_E = (nu* T - I2)/(nu* tau_E),   d log J_I = (I1 - mu* T)/(mu* tau_I)
//   calcium, absolute:  dJ_E = (nu* T - I2)/tau_E,              dJ_I = (I1 - mu* T)/tau_I,    J >= 0 reflecting
//   rate:               as calcium, with n in place of I1 and I2
// Set points that adapt, tau_a dnu*/dt = C^2 - nu* and tau_a dmu*/dt = C - mu*, leave tau_a nu* + tau_E J_E and
// tau_a mu* - tau_I J_I constant (absolute; J away from 0) or nu*^(tau_a/tau_E) J_E and mu*^(-tau_a/tau_I) J_I
// (relative), so that the weights follow from the set points.
#pragma once
#include <algorithm>
#include <cmath>

#include "clones.hpp"

struct Sensor {
  double tau, influx, retention;
};

enum class Sensed { nothing, calcium, spikes };

struct Rule {
  Sensed sensed;
  bool relative;
  double tau_e, tau_i;
  double tau_adapt;  // 0: set points are fixed
};

struct Slow {
  double calcium, j_e, j_i, target_e, target_i;
};

struct Integrals {
  double first, second;
};

// Fractions of calcium kept and lost in a time; one exponential does for both where nothing cancels.
struct Decay {
  double kept, lost;
};

EQ_INLINE Decay decay_in(double t, double tau) {
  const double kept = std::exp(-t / tau);
  return {kept, kept < 0.9 ? 1.0 - kept : -std::expm1(-t / tau)};
}

EQ_INLINE Integrals calcium_integrals(double c, const Decay& decay, double tau) {
  return {c * tau * decay.lost, 0.5 * c * c * tau * decay.lost * (1.0 + decay.kept)};
}

// What a set point gains in t when it follows x e^{-t/tau} with tau_adapt; the slower exponential is factored out, so
// that nothing overflows and equal time constants are no special case.
inline double target_gain(double target, double x, double t, double tau, double tau_adapt) {
  const double apart = std::fabs(t / tau - t / tau_adapt);
  const double mean = apart < 1e-12 ? 1.0 : -std::expm1(-apart) / apart;
  return target * std::expm1(-t / tau_adapt) + x * std::exp(-t / std::max(tau, tau_adapt)) * mean * t / tau_adapt;
}

// J_E falls while C^2 > nu* and rises after; reflection at zero lifts it by the depth of its minimum below zero.
inline double reflected_excitation(const Slow& start, double gain, double t, const Sensor& sensor, const Rule& rule) {
  const double c = start.calcium;
  const auto excess = [&](double at) {
    const double target = rule.tau_adapt > 0.0 ? start.target_e + target_gain(start.target_e, c * c, at, 0.5 * sensor.tau,
                                                                             rule.tau_adapt)
                                               : start.target_e;
    return c * c * std::exp(-2.0 * at / sensor.tau) - target;
  };
  double low = 0.0, high = t;
  if (excess(0.0) <= 0.0) high = 0.0;
  else if (excess(t) >= 0.0) low = t;
  while (high - low > 1e-15 * t) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    (excess(middle) > 0.0 ? low : high) = middle;
  }
  const double turn = 0.5 * (low + high);
  const double depth =
      rule.tau_adapt > 0.0
          ? -rule.tau_adapt * target_gain(start.target_e, c * c, turn, 0.5 * sensor.tau, rule.tau_adapt) / rule.tau_e
          : (start.target_e * turn - calcium_integrals(c, decay_in(turn, sensor.tau), sensor.tau).second) / rule.tau_e;
  return std::max(0.0, start.j_e + gain + std::max(0.0, -(start.j_e + depth)));
}

inline void move_weights(const Slow& start, Slow& end, double gain_e, double gain_i, double t, const Sensor& sensor,
                         const Rule& rule) {
  if (rule.relative) {
    end.j_e *= std::exp(gain_e);
    end.j_i *= std::exp(gain_i);
    return;
  }
  const double most_lost = start.calcium * start.calcium * std::min(t, 0.5 * sensor.tau) / rule.tau_e;
  const bool safe = rule.sensed == Sensed::spikes || start.j_e > most_lost;
  end.j_e = safe ? start.j_e + gain_e : reflected_excitation(start, gain_e, t, sensor, rule);
  end.j_i = std::max(0.0, start.j_i + gain_i);
}

// The state t seconds later, if no spike falls in between.
inline Slow relax(const Slow& start, double t, const Decay& decay, const Sensor& sensor, const Rule& rule) {
  Slow end = start;
  const double c = start.calcium;
  end.calcium = c * decay.kept;
  if (rule.sensed == Sensed::nothing || t == 0.0) return end;
  double error_e = start.target_e * t, error_i = -start.target_i * t;  // integrals of the two errors
  if (rule.sensed == Sensed::calcium && rule.tau_adapt > 0.0) {
    const double moved_e = target_gain(start.target_e, c * c, t, 0.5 * sensor.tau, rule.tau_adapt);
    const double moved_i = target_gain(start.target_i, c, t, sensor.tau, rule.tau_adapt);
    end.target_e += moved_e;
    end.target_i += moved_i;
    error_e = -rule.tau_adapt * (rule.relative ? start.target_e * std::log1p(moved_e / start.target_e) : moved_e);
    error_i = rule.tau_adapt * (rule.relative ? start.target_i * std::log1p(moved_i / start.target_i) : moved_i);
  } else if (rule.sensed == Sensed::calcium) {
    const Integrals seen = calcium_integrals(c, decay, sensor.tau);
    error_e -= seen.second;
    error_i += seen.first;
  }
  const double unit_e = rule.relative ? start.target_e : 1.0, unit_i = rule.relative ? start.target_i : 1.0;
  move_weights(start, end, error_e / (unit_e * rule.tau_e), error_i / (unit_i * rule.tau_i), t, sensor, rule);
  return end;
}

inline void spike(Slow& state, const Sensor& sensor, const Rule& rule) {
  state.calcium = sensor.retention * state.calcium + sensor.influx;
  if (rule.sensed != Sensed::spikes) return;
  if (rule.relative) {
    state.j_e *= std::exp(-1.0 / (state.target_e * rule.tau_e));
    state.j_i *= std::exp(1.0 / (state.target_i * rule.tau_i));
  } else {
    state.j_e = std::max(0.0, state.j_e - 1.0 / rule.tau_e);
    state.j_i += 1.0 / rule.tau_i;
  }
}
