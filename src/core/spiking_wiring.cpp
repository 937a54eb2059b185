// Wiring: who is connected to whom, from the seed alone.
//
// Each postsynaptic neuron draws its presynaptic partners from a random stream of its own, so that the graph does not
// depend on blocks or threads. A list is made in two passes, count and fill, which draw the same numbers.
#include <cstdint>
#include <vector>

#include "arrays.hpp"
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

// How the partners of the neurons of one block are drawn.
struct Draw {
  const spiking::Key key;
  std::uint32_t projection;
  const std::int64_t* in_degrees;  // of the neurons of the block
  std::size_t n_posts, first_post;
  std::uint32_t n_sources;
  bool no_autapses, multapses;  // no_autapses: source and target are one population, and post skips itself

  // Calls visit(source, post) for every synapse; post counts from the block's first neuron and ascends.
  template <class Visit>
  void each(Visit&& visit) const {
    std::vector<std::uint32_t> drawn_by(n_sources, 0);
    for (std::size_t post = 0; post < n_posts; ++post) {
      Random random = stream_of(key, projection, first_post + post);
      const auto itself = static_cast<std::uint32_t>(first_post + post);
      const std::uint32_t n = n_sources - (no_autapses ? 1U : 0U);
      const auto partner = [&](std::uint32_t s) { return no_autapses && s >= itself ? s + 1U : s; };
      const auto wanted = static_cast<std::uint32_t>(in_degrees[post]);
      if (multapses) {
        for (std::uint32_t k = 0; k < wanted; ++k) visit(partner(below(n, random)), post);
        continue;
      }
      // Distinct ones by rejection; where more than half are wanted, those left out are drawn.
      const bool inverse = wanted > n / 2;
      const auto mark = static_cast<std::uint32_t>(post) + 1U;
      for (std::uint32_t left = inverse ? n - wanted : wanted; left > 0;) {
        const std::uint32_t s = below(n, random);
        if (drawn_by[s] == mark) continue;
        drawn_by[s] = mark;
        --left;
        if (!inverse) visit(partner(s), post);
      }
      for (std::uint32_t s = 0; inverse && s < n; ++s)
        if (drawn_by[s] != mark) visit(partner(s), post);
    }
  }
};

// block = (projection, first_post, n_sources, no_autapses, multapses).
Draw draw_of(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees) {
  same_size(key.size(), 2);
  same_size(block.size(), 5);
  const std::int64_t* x = block.data();
  return {spiking::Key(key.data()[0], key.data()[1]),
          static_cast<std::uint32_t>(x[0]),
          in_degrees.data(),
          in_degrees.size(),
          static_cast<std::size_t>(x[1]),
          static_cast<std::uint32_t>(x[2]),
          x[3] != 0,
          x[4] != 0};
}

void wiring_count(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees, Vector<std::uint32_t> offsets) {
  std::uint32_t* start = offsets.data();
  const std::size_t n_sources = offsets.size() - 1;
  for (std::size_t s = 0; s <= n_sources; ++s) start[s] = 0;
  draw_of(key, block, in_degrees).each([start](std::uint32_t s, std::size_t) { ++start[s + 1]; });
  for (std::size_t s = 0; s < n_sources; ++s) start[s + 1] += start[s];
}

void wiring_fill(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees,
                 Vector<const std::uint32_t> offsets, Vector<std::uint16_t> targets) {
  same_size(offsets.data()[offsets.size() - 1], targets.size());
  std::vector<std::uint32_t> next(offsets.data(), offsets.data() + offsets.size() - 1);
  std::uint16_t* out = targets.data();
  draw_of(key, block, in_degrees).each([&next, out](std::uint32_t s, std::size_t post) {
    out[next[s]++] = static_cast<std::uint16_t>(post);
  });
}

void wiring_bits(Vector<const std::uint64_t> key, IndexIn block, IndexIn in_degrees, Vector<std::uint64_t> bits) {
  const Draw draw = draw_of(key, block, in_degrees);
  const std::size_t words = bits.size() / draw.n_sources;
  std::uint64_t* out = bits.data();
  draw.each([out, words](std::uint32_t s, std::size_t post) {
    const std::size_t column = post / spiking::column_size, n = post % spiking::column_size;
    const std::size_t byte = n % 64, bit = n / 64;  // as deliver reads them
    out[s * words + column * 8 + byte / 8] |= std::uint64_t{1} << (8 * (byte % 8) + bit);
  });
}

}  // namespace

void bind_spiking_wiring(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("wiring_count", &wiring_count, free, nb::arg("key"), nb::arg("block"), nb::arg("in_degrees"),
        nb::arg("offsets"));
  m.def("wiring_fill", &wiring_fill, free, nb::arg("key"), nb::arg("block"), nb::arg("in_degrees"), nb::arg("offsets"),
        nb::arg("targets"));
  m.def("wiring_bits", &wiring_bits, free, nb::arg("key"), nb::arg("block"), nb::arg("in_degrees"), nb::arg("bits"));
}
