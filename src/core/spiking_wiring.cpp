// Wiring: who is connected to whom, after which delay and with which weight, from the seed alone.
//
// Each postsynaptic neuron draws its presynaptic partners from a random stream of its own, the delays of these synapses
// from a second and their weights from a third, so that the graph does not depend on blocks or threads, nor on what
// else is drawn. A list is made in two passes, count and fill, which draw the same numbers. The rows of one presynaptic
// neuron stand side by side, one for each delay.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "arrays.hpp"
#include "float32.hpp"
#include "random.hpp"
#include "threefry.hpp"

namespace {

template <class T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// xoshiro256++ seeded by two blocks of counter-based words.
Random stream_of(const spiking::Key& key, std::uint32_t projection, std::uint64_t post) {
  const auto low = static_cast<std::uint32_t>(post), high = static_cast<std::uint32_t>(post >> 32);
  Random random{};
  for (std::uint32_t half = 0; half < 2; ++half) {
    const spiking::Block x = spiking::threefry(key, {low, high, half, projection});
    random.s[2 * half] = x.a | (static_cast<std::uint64_t>(x.b) << 32);
    random.s[2 * half + 1] = x.c | (static_cast<std::uint64_t>(x.d) << 32);
  }
  return random;
}

// Uniform in 0 .. n - 1, exactly (Lemire 2019, ACM Trans. Model. Comput. Simul. 29:3).
std::uint32_t below(std::uint32_t n, Random& random) {
  std::uint64_t product = (random.bits() >> 32) * n;
  if (static_cast<std::uint32_t>(product) < n) {
    const std::uint32_t least = (0U - n) % n;
    while (static_cast<std::uint32_t>(product) < least) product = (random.bits() >> 32) * n;
  }
  return static_cast<std::uint32_t>(product >> 32);
}

// Which of its delays a synapse has: `given` for one after the other, or the number of thresholds of the law that a
// random word reaches; the last of them all where there are none.
struct Delays {
  const std::uint16_t* given;
  const std::uint32_t *law, *law_end;

  std::size_t of(std::size_t synapse, Random& random) const {
    if (given != nullptr) return given[synapse];
    if (law == law_end) return 0;
    const auto word = static_cast<std::uint32_t>(random.bits() >> 32);
    return static_cast<std::size_t>(std::upper_bound(law, law_end, word) - law);
  }
};

// The synapses of the neurons of one block.
struct Draw {
  const spiking::Key key;
  std::uint32_t partners, delays, weights;  // random streams
  const std::int64_t* in_degrees;           // of the neurons of the block
  std::size_t n_posts, first_post;
  std::uint32_t n_sources;
  bool no_autapses, multapses;  // no_autapses: source and target are one population, and post skips itself
  std::size_t n_delays;
  const std::uint32_t* given;  // partners, those of one neuron after the other; null where they are drawn
  Delays delay;

  // Calls begin(post) for every neuron and then visit(row, post) for each of its synapses; post counts from the block's
  // first neuron and ascends, row = source n_delays + delay.
  template <class Begin, class Visit>
  void each(Begin&& begin, Visit&& visit) const {
    std::vector<std::uint32_t> drawn_by(given == nullptr ? n_sources : 0, 0);
    for (std::size_t post = 0, synapse = 0; post < n_posts; ++post) {
      Random random = stream_of(key, delays, first_post + post);
      begin(post);
      each_partner(post, synapse, drawn_by, [&](std::uint32_t s) {
        visit(s * n_delays + delay.of(synapse++, random), post);
      });
    }
  }

 private:
  template <class Visit>
  void each_partner(std::size_t post, std::size_t synapse, std::vector<std::uint32_t>& drawn_by, Visit&& visit) const {
    const auto wanted = static_cast<std::uint32_t>(in_degrees[post]);
    if (given != nullptr) {
      for (std::uint32_t k = 0; k < wanted; ++k) visit(given[synapse + k]);
      return;
    }
    Random random = stream_of(key, partners, first_post + post);
    const auto itself = static_cast<std::uint32_t>(first_post + post);
    const std::uint32_t n = n_sources - (no_autapses ? 1U : 0U);
    const auto partner = [&](std::uint32_t s) { return no_autapses && s >= itself ? s + 1U : s; };
    if (multapses) {
      for (std::uint32_t k = 0; k < wanted; ++k) visit(partner(below(n, random)));
      return;
    }
    // Distinct ones by rejection; where more than half are wanted, those left out are drawn.
    const bool inverse = wanted > n / 2;
    const auto mark = static_cast<std::uint32_t>(post) + 1U;
    for (std::uint32_t left = inverse ? n - wanted : wanted; left > 0;) {
      const std::uint32_t s = below(n, random);
      if (drawn_by[s] == mark) continue;
      drawn_by[s] = mark;
      --left;
      if (!inverse) visit(partner(s));
    }
    for (std::uint32_t s = 0; inverse && s < n; ++s)
      if (drawn_by[s] != mark) visit(partner(s));
  }
};

using Halves = Vector<const std::uint16_t>;
using Words = Vector<const std::uint32_t>;

// block = (streams of partners, delays and weights, first_post, n_sources, no_autapses, multapses, n_delays).
Draw draw_of(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees, Words given, Halves delays, Words law) {
  same_size(key.size(), 2);
  same_size(block.size(), 8);
  const std::int64_t* x = block.data();
  return {spiking::Key(key.data()[0], key.data()[1]),
          static_cast<std::uint32_t>(x[0]),
          static_cast<std::uint32_t>(x[1]),
          static_cast<std::uint32_t>(x[2]),
          in_degrees.data(),
          in_degrees.size(),
          static_cast<std::size_t>(x[3]),
          static_cast<std::uint32_t>(x[4]),
          x[5] != 0,
          x[6] != 0,
          static_cast<std::size_t>(x[7]),
          given.size() == 0 ? nullptr : given.data(),
          {delays.size() == 0 ? nullptr : delays.data(), law.data(), law.data() + law.size()}};
}

const auto nothing = [](std::size_t) {};

void wiring_count(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees, Words given, Halves delays,
                  Words law, Vector<std::uint32_t> offsets) {
  std::uint32_t* start = offsets.data();
  const std::size_t rows = offsets.size() - 1;
  const Draw draw = draw_of(key, block, in_degrees, given, delays, law);
  same_size(rows, draw.n_sources * draw.n_delays);
  for (std::size_t row = 0; row <= rows; ++row) start[row] = 0;
  draw.each(nothing, [start](std::size_t row, std::size_t) { ++start[row + 1]; });
  for (std::size_t row = 0; row < rows; ++row) start[row + 1] += start[row];
}

// Weights relative to their mean, e^(mean + sd z) or mean + sd z with a standard normal z, the latter drawn again where
// it is not positive.
struct Spread {
  bool logarithmic;
  float mean, sd;

  float draw(Random& random) const {
    for (;;) {
      const std::uint64_t word = random.bits();
      const spiking::Pair32 z =
          spiking::normal_pair(static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32));
      const float x = mean + sd * z.first;
      if (logarithmic) return spiking::exp32(x);
      if (x > 0.0f) return x;
    }
  }
};

// `spread` = (logarithmic, mean, sd), or `relative` weights of the synapses of one neuron after the other, or neither.
void wiring_fill(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees, Words given, Halves delays,
                 Words law, Words offsets, In spread, Vector<const float> relative, Vector<std::uint16_t> targets,
                 Vector<float> weights) {
  same_size(offsets.data()[offsets.size() - 1], targets.size());
  if (weights.size() != 0) same_size(weights.size(), targets.size());
  std::vector<std::uint32_t> next(offsets.data(), offsets.data() + offsets.size() - 1);
  const Draw draw = draw_of(key, block, in_degrees, given, delays, law);
  std::uint16_t* out = targets.data();
  if (weights.size() == 0) {
    draw.each(nothing, [&next, out](std::size_t row, std::size_t post) {
      out[next[row]++] = static_cast<std::uint16_t>(post);
    });
    return;
  }
  const bool drawn = relative.size() == 0;
  same_size(drawn ? spread.size() : relative.size(), drawn ? 3 : targets.size());
  const double* x = spread.data();
  const Spread how =
      drawn ? Spread{x[0] != 0.0, static_cast<float>(x[1]), static_cast<float>(x[2])} : Spread{false, 1.0f, 0.0f};
  Random random{};
  std::size_t synapse = 0;
  const auto begin = [&](std::size_t post) { random = stream_of(draw.key, draw.weights, draw.first_post + post); };
  draw.each(begin, [&](std::size_t row, std::size_t post) {
    weights.data()[next[row]] = drawn ? how.draw(random) : relative.data()[synapse++];
    out[next[row]++] = static_cast<std::uint16_t>(post);
  });
}

void wiring_bits(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees, Words law,
                 Vector<std::uint64_t> bits) {
  const Draw draw = draw_of(key, block, in_degrees, {}, {}, law);
  const std::size_t sources = draw.n_sources, n_delays = draw.n_delays, words = bits.size() / (sources * n_delays);
  std::uint64_t* out = bits.data();
  draw.each(nothing, [out, sources, n_delays, words](std::size_t row, std::size_t post) {
    const std::size_t column = post / spiking::column_size, n = post % spiking::column_size;
    const std::size_t byte = n % 64, bit = n / 64;  // as deliver reads them
    const std::size_t at = (row % n_delays) * sources + row / n_delays;
    out[at * words + column * 8 + byte / 8] |= std::uint64_t{1} << (8 * (byte % 8) + bit);
  });
}

}  // namespace

void bind_spiking_wiring(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("wiring_count", &wiring_count, free, nb::arg("key"), nb::arg("block"), nb::arg("in_degrees"), nb::arg("given"),
        nb::arg("delays"), nb::arg("law"), nb::arg("offsets"));
  m.def("wiring_fill", &wiring_fill, free, nb::arg("key"), nb::arg("block"), nb::arg("in_degrees"), nb::arg("given"),
        nb::arg("delays"), nb::arg("law"), nb::arg("offsets"), nb::arg("spread"), nb::arg("relative"),
        nb::arg("targets"), nb::arg("weights"));
  m.def("wiring_bits", &wiring_bits, free, nb::arg("key"), nb::arg("block"), nb::arg("in_degrees"), nb::arg("law"),
        nb::arg("bits"));
}
