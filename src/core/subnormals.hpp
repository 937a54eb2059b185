// Numbers below the smallest normal one count as 0 on this thread while this lives. What decays would otherwise never
// reach 0, and processors take many times as long over such numbers. Where the instructions are unknown nothing changes.
#pragma once
#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace spiking {

class NoSubnormals {
 public:
  NoSubnormals() : before(read()) { write(before | flags); }
  ~NoSubnormals() { write(before); }
  NoSubnormals(const NoSubnormals&) = delete;
  NoSubnormals& operator=(const NoSubnormals&) = delete;

 private:
#if defined(__SSE2__)
  using Word = unsigned int;
  static constexpr Word flags = 0x8040;  // results flushed, operands read as 0
  static Word read() { return _mm_getcsr(); }
  static void write(Word to) { _mm_setcsr(to); }
#elif defined(__aarch64__) && defined(__GNUC__)
  using Word = std::uint64_t;
  static constexpr Word flags = Word{1} << 24;
  static Word read() {
    Word of;
    __asm__ volatile("mrs %0, fpcr" : "=r"(of));
    return of;
  }
  static void write(Word to) { __asm__ volatile("msr fpcr, %0" : : "r"(to)); }
#else
  using Word = unsigned int;
  static constexpr Word flags = 0;
  static Word read() { return 0; }
  static void write(Word) {}
#endif
  Word before;
};

}  // namespace spiking
