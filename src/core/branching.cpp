// Branching processes by generation totals: one draw gives all offspring of a generation, however large it is.
//
// Each avalanche has a stream of its own, xoshiro started by Threefry words of (key, number of the avalanche), so that
// avalanches can be drawn in any pieces.
#include <cmath>
#include <cstdint>

#include "arrays.hpp"
#include "bind_membrane.hpp"
#include "threefry.hpp"
#include "variates.hpp"

namespace {

using IndexOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using BytesOut = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using KeyIn = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Offspring of one unit: Poisson, geometric, or `litter` at each success of `trials`.
struct Offspring {
  enum Kind { Poisson, Geometric, Binomial } kind;
  double mean, trials, litter, log_again;

  // law = (kind, trials, litter), the last two of the binomial only
  Offspring(In law, double mean_of_all)
      : kind(static_cast<Kind>(static_cast<int>(law(0)))),
        mean(mean_of_all),
        trials(law(1)),
        litter(law(2)),
        log_again(std::log(mean / (1.0 + mean))) {}

  // Of z units together.
  std::int64_t draw(std::int64_t z, Random& random) const {
    const double n = static_cast<double>(z);
    if (kind == Poisson) return variates::poisson(mean * n, random);
    if (kind == Geometric) return geometric(z, random);
    return static_cast<std::int64_t>(litter) * variates::binomial(trials * n, mean / (trials * litter), random);
  }

 private:
  // The negative binomial is a Poisson number of gamma distributed mean.
  std::int64_t geometric(std::int64_t z, Random& random) const {
    if (mean == 0.0 || z == 0) return 0;
    if (z > 8) return variates::poisson(mean * variates::gamma(static_cast<double>(z), random), random);
    std::int64_t sum = 0;
    for (; z > 0; --z) sum += static_cast<std::int64_t>(std::log(random.uniform()) / log_again);
    return sum;
  }
};

Random stream_of(const spiking::Key& key, std::uint64_t number) {
  const auto low = static_cast<std::uint32_t>(number), high = static_cast<std::uint32_t>(number >> 32);
  const auto word = [](std::uint32_t a, std::uint32_t b) { return static_cast<std::uint64_t>(a) << 32 | b; };
  const spiking::Block x = spiking::threefry(key, {low, high, 0, 0}), y = spiking::threefry(key, {low, high, 1, 0});
  return Random{{word(x.a, x.b), word(x.c, x.d), word(y.a, y.b), word(y.c, y.d)}};
}

void avalanches(KeyIn key, std::int64_t first, In law, double mean, std::int64_t most_generations,
                std::int64_t most_units, IndexOut sizes, IndexOut durations, BytesOut capped) {
  same_size(key.size(), 2);
  same_size(sizes.size(), durations.size());
  same_size(sizes.size(), capped.size());
  const Offspring offspring(law, mean);
  const spiking::Key words(key(0), key(1));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    Random random = stream_of(words, static_cast<std::uint64_t>(first) + i);
    std::int64_t size = 1, generations = 1, z = offspring.draw(1, random);
    while (z > 0 && generations < most_generations && size <= most_units) {
      size += z;
      ++generations;
      z = offspring.draw(z, random);
    }
    sizes(i) = size;
    durations(i) = generations;
    capped(i) = z > 0 || size > most_units;
  }
}

// A[t + 1] = offspring of A[t] + Poisson(drive); then m += rate (target - A), kept in [0, largest].
// homeostasis = (rate, target, largest m, most units), state = (A, m). Beyond the most units nothing changes any more.
void driven(Words words, In law, double drive, In homeostasis, Out state, IndexOut activity, Out means) {
  same_size(activity.size(), means.size());
  same_size(state.size(), 2);
  Random random = load(words);
  auto active = static_cast<std::int64_t>(state(0));
  double m = state(1);
  for (std::size_t t = 0; t < activity.size(); ++t) {
    if (active <= static_cast<std::int64_t>(homeostasis(3)))
      active = Offspring(law, m).draw(active, random) + variates::poisson(drive, random);
    const double off = homeostasis(1) - static_cast<double>(active);
    m = std::fmin(std::fmax(m + homeostasis(0) * off, 0.0), homeostasis(2));
    activity(t) = active;
    means(t) = m;
  }
  state(0) = static_cast<double>(active);
  state(1) = m;
  store(random, words);
}

void log_poisson(In counts, In means, Out out) {
  same_size(counts.size(), means.size());
  same_size(counts.size(), out.size());
  for (std::size_t i = 0; i < out.size(); ++i) out(i) = variates::log_poisson(counts(i), means(i));
}

void log_binomial(In counts, In trials, In chances, Out out) {
  same_size(counts.size(), trials.size());
  same_size(counts.size(), chances.size());
  same_size(counts.size(), out.size());
  for (std::size_t i = 0; i < out.size(); ++i) out(i) = variates::log_binomial(counts(i), trials(i), chances(i));
}

}  // namespace

void bind_branching(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("branching_avalanches", &avalanches, free, nb::arg("key"), nb::arg("first"), nb::arg("law"), nb::arg("mean"),
        nb::arg("most_generations"), nb::arg("most_units"), nb::arg("sizes"), nb::arg("durations"), nb::arg("capped"));
  m.def("branching_driven", &driven, free, nb::arg("words"), nb::arg("law"), nb::arg("drive"), nb::arg("homeostasis"),
        nb::arg("state"), nb::arg("activity"), nb::arg("means"));
  m.def("log_poisson", &log_poisson, nb::arg("counts"), nb::arg("means"), nb::arg("out"));
  m.def("log_binomial", &log_binomial, nb::arg("counts"), nb::arg("trials"), nb::arg("chances"), nb::arg("out"));
}
