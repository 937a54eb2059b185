// Interspike intervals of one cell under constant white-noise input, and the random numbers by themselves.
#include <cstdint>

#include "arrays.hpp"
#include "bind_membrane.hpp"

// state = (potential, time since the last spike, intervals written so far).
template <class Membrane>
static std::int64_t sample(Membrane membrane, const Silence& after, double mu, double sigma, Out state, Words words,
                           Out intervals, std::int64_t budget) {
  Random random = load(words);
  double v = state(0), elapsed = state(1);
  auto written = static_cast<std::size_t>(state(2));
  membrane.set_input(mu, sigma);
  std::int64_t steps = 0;
  for (; steps < budget && written < intervals.shape(0); ++steps) {
    const Step step = membrane.step(v, unlimited, random);
    elapsed += step.dt;
    if (!step.spike) continue;
    intervals(written++) = elapsed;
    v = after.v_reset;
    elapsed = after.tau_ref;
  }
  state(0) = v;
  state(1) = elapsed;
  state(2) = static_cast<double>(written);
  store(random, words);
  return steps;
}

static std::int64_t sample_intervals(In neuron, double mu, double sigma, Out state, Words words, Out intervals,
                                     std::int64_t budget) {
  same_size(state.shape(0), 3);
  return with_membrane(neuron, [&](auto membrane, const Silence& after) {
    return sample(membrane, after, mu, sigma, state, words, intervals, budget);
  });
}

static void random_bits(Words words, Words out) {
  Random random = load(words);
  for (std::size_t i = 0; i < out.shape(0); ++i) out(i) = random.bits();
  store(random, words);
}

static void random_normal(Words words, Out out) {
  Random random = load(words);
  for (std::size_t i = 0; i < out.shape(0); ++i) out(i) = random.normal();
  store(random, words);
}

void bind_isi_sampler(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("isi_sample", &sample_intervals, free, nb::arg("neuron"), nb::arg("mu"), nb::arg("sigma"), nb::arg("state"),
        nb::arg("words"), nb::arg("intervals"), nb::arg("budget"));
  m.def("random_bits", &random_bits, free, nb::arg("words"), nb::arg("out"));
  m.def("random_normal", &random_normal, free, nb::arg("words"), nb::arg("out"));
}
