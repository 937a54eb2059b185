// Probes: what chosen neurons feel, step by step, taken from the step itself.
//
// In a row of the trace a neuron has six values: its potential after the step, the excitatory, inhibitory and noisy input
// of the step [V/s], and the excitatory and inhibitory conductance over the capacitance [1/s]. Input to the potential is
// a jump over dt. Input to currents is followed apart by kind, in `split`, as the currents themselves; conductances give
// s (reversal - v) after the step. A run without probes has a step without any of this.
#pragma once
#include <vector>

#include "float32.hpp"
#include "spiking_network.hpp"

namespace spiking {

inline constexpr std::size_t trace_values = 6;  // potential, excitation, inhibition, noise, two conductances
inline constexpr std::size_t kinds = 3;

struct Probes {
  const std::int64_t* places;  // rising
  std::size_t n;
  std::vector<std::size_t> first;  // probe of each column, and n; empty without probes
  float* split;                    // (probe, current, kind)
  std::size_t currents;
  float* trace;  // (step, probe, value)
  float per_step;  // 1/dt
};

// The probes of one column in one step.
class Look {
 public:
  EQ_INLINE Look(const Probes& probes, std::size_t column, std::size_t step)
      : all(probes),
        base(column * column_size),
        begin(probes.n ? probes.first[column] : 0),
        end(probes.n ? probes.first[column + 1] : 0),
        rows(probes.trace + step * probes.n * trace_values) {}

  // Currents decay, and nothing has come yet.
  EQ_INLINE void start(const Cells& cells) const {
    for (std::size_t p = begin; p < end; ++p) {
      for (std::size_t v = 0; v < trace_values; ++v) rows[p * trace_values + v] = 0.0f;
      for (std::size_t c = 0; c < cells.currents.size(); ++c)
        for (std::size_t kind = 0; kind < kinds; ++kind) *current(p, c, kind) *= cells.currents[c].decay;
    }
  }

  // What a source brought: counts, or normal variates made of words.
  EQ_INLINE void source(const External& external, std::size_t column, const std::uint32_t* words,
                        const std::uint16_t* counts) const {
    const float* amplitude = external.amplitude.of(column);
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t i = place(p);
      if (external.noise == Noise::gaussian)
        add(p, external.sink, 2, amplitude[i] * normal_of(words, i));
      else
        add(p, external.sink, amplitude[i] < 0.0f ? 1 : 0, amplitude[i] * static_cast<float>(counts[i]));
    }
  }

  // What arrived through a channel, counts or sums.
  template <class Arrived>
  EQ_INLINE void arriving(std::int64_t sink, const float* weight, const Arrived* arrived) const {
    for (std::size_t p = begin; p < end; ++p) {
      const float w = weight[place(p)];
      add(p, sink, w < 0.0f ? 1 : 0, w * static_cast<float>(arrived[place(p)]));
    }
  }

  // s: currents or conductances of the column, `stride` apart.
  EQ_INLINE void finish(const Cells& cells, const float* v, const float* s, std::size_t stride) const {
    for (std::size_t p = begin; p < end; ++p) {
      float* row = rows + p * trace_values;
      row[0] = v[place(p)];
      if (cells.conduct) {
        finish_conducting(cells, s + place(p), stride, row);
        continue;
      }
      for (std::size_t kind = 0; kind < kinds; ++kind) {
        float sum = row[1 + kind] * all.per_step;
        for (std::size_t c = 0; c < cells.currents.size(); ++c) sum += *current(p, c, kind);
        row[1 + kind] = sum;
      }
    }
  }

 private:
  // Excitation and inhibition are told apart by the reversal; nothing else arrives.
  EQ_INLINE static void finish_conducting(const Cells& cells, const float* s, std::size_t stride, float* row) {
    for (std::size_t kind = 0; kind < 2; ++kind) row[1 + kind] = 0.0f;
    for (std::size_t c = 0; c < cells.currents.size(); ++c) {
      const Current& current = cells.currents[c];
      if (current.jump != 0.0f) continue;  // no input
      const float g = s[c * stride];
      const std::size_t kind = current.inhibits ? 1 : 0;
      row[1 + kind] += g * (current.reversal - row[0]);
      row[4 + kind] += g;
    }
  }

  EQ_INLINE std::size_t place(std::size_t p) const { return static_cast<std::size_t>(all.places[p]) - base; }

  // As add_gaussian pairs the words.
  EQ_INLINE static float normal_of(const std::uint32_t* words, std::size_t i) {
    if (i % (2 * blocks_of_words) < blocks_of_words) return normal_pair(words[i], words[i + blocks_of_words]).first;
    return normal_pair(words[i - blocks_of_words], words[i]).second;
  }

  EQ_INLINE float* current(std::size_t p, std::size_t c, std::size_t kind) const {
    return all.split + (p * all.currents + c) * kinds + kind;
  }

  EQ_INLINE void add(std::size_t p, std::int64_t sink, std::size_t kind, float x) const {
    if (sink == potential)
      rows[p * trace_values + 1 + kind] += x;
    else
      *current(p, static_cast<std::size_t>(sink), kind) += x;
  }

  const Probes& all;
  std::size_t base, begin, end;
  float* rows;
};

}  // namespace spiking
