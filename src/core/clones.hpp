// Instruction sets chosen at run time: a loop marked EQ_CLONES is compiled for AVX-512, AVX2 and the baseline, and the
// loader picks the best one (needs ifunc support: x86-64 Linux with glibc). Elsewhere the plain build is used.
#pragma once
#include <cstddef>

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && \
    ((defined(__clang__) && __clang_major__ >= 14) || (!defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 11))
#define EQ_HAS_CLONES
#define EQ_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EQ_CLONES
#endif

// Helpers of a cloned loop must be inlined into each clone, or they stay at the baseline.
#if defined(__GNUC__)
#define EQ_INLINE inline __attribute__((always_inline))
#else
#define EQ_INLINE inline
#endif
