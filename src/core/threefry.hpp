// Counter-based random words: Threefry-4x32 with 13 rounds (Salmon, Moraes, Dror & Shaw 2011, Proc. SC11), which passes
// BigCrush. Any word can be had without those before it, so that a stream belongs to a place and a step and not to a
// thread. Adds, rotations and exclusive ors only: every instruction set vectorises it and all agree.
#pragma once
#include <array>
#include <cstdint>

#include "clones.hpp"

namespace spiking {

struct Key {
  std::array<std::uint32_t, 5> words;

  Key(std::uint64_t low, std::uint64_t high)
      : words{static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32),
              static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32), 0x1BD11BDAU} {
    for (int i = 0; i < 4; ++i) words[4] ^= words[i];
  }
};

struct Block {
  std::uint32_t a, b, c, d;
};

EQ_INLINE std::uint32_t rotated(std::uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

template <int round>
EQ_INLINE void mix(Block& x, const Key& key) {
  constexpr int first[8] = {10, 11, 13, 23, 6, 17, 25, 18}, second[8] = {26, 21, 27, 5, 20, 11, 10, 20};
  if constexpr (round % 2 == 0) {
    x.a += x.b;
    x.b = rotated(x.b, first[round % 8]) ^ x.a;
    x.c += x.d;
    x.d = rotated(x.d, second[round % 8]) ^ x.c;
  } else {
    x.a += x.d;
    x.d = rotated(x.d, first[round % 8]) ^ x.a;
    x.c += x.b;
    x.b = rotated(x.b, second[round % 8]) ^ x.c;
  }
  if constexpr (round % 4 == 3) {
    constexpr int turn = round / 4 + 1;
    x.a += key.words[turn % 5];
    x.b += key.words[(turn + 1) % 5];
    x.c += key.words[(turn + 2) % 5];
    x.d += key.words[(turn + 3) % 5] + turn;
  }
}

// The rounds are written out by the template, so that a loop over counters has a straight body.
template <int round = 0>
EQ_INLINE void mix_from(Block& x, const Key& key) {
  if constexpr (round < 13) {
    mix<round>(x, key);
    mix_from<round + 1>(x, key);
  }
}

EQ_INLINE Block threefry(const Key& key, Block counter) {
  counter.a += key.words[0];
  counter.b += key.words[1];
  counter.c += key.words[2];
  counter.d += key.words[3];
  mix_from(counter, key);
  return counter;
}

// Neurons are numbered in columns of this many, each with its own random words at each step.
inline constexpr std::size_t column_size = 512;

// Blocks of counters for a column with a whole word for each neuron, and with half a word.
inline constexpr std::size_t blocks_of_words = column_size / 4, blocks_of_halves = column_size / 8;

// Random words of a column at a step: the four words of block l go to the places l, l + blocks, l + 2 blocks, ...
template <std::size_t blocks>
EQ_INLINE void column_words(const Key& key, std::uint32_t stream, std::uint64_t step, std::size_t column,
                            std::uint32_t* out) {
  const auto first = static_cast<std::uint32_t>(column * blocks);
  const auto low = static_cast<std::uint32_t>(step), high = static_cast<std::uint32_t>(step >> 32);
  for (std::uint32_t l = 0; l < blocks; ++l) {
    const Block x = threefry(key, {first + l, low, high, stream});
    out[l] = x.a;
    out[blocks + l] = x.b;
    out[2 * blocks + l] = x.c;
    out[3 * blocks + l] = x.d;
  }
}

// One more word for one place, from counters that no stream of columns uses.
EQ_INLINE std::uint32_t extra_word(const Key& key, std::uint32_t stream, std::uint64_t step, std::size_t place) {
  const auto low = static_cast<std::uint32_t>(step), high = static_cast<std::uint32_t>(step >> 32);
  return threefry(key, {static_cast<std::uint32_t>(place), low, high, stream | 0x80000000U}).a;
}

}  // namespace spiking
