// A loop over independent pieces on the processors that this process may use. Nothing computed depends on who does it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

namespace parallel {

// Threads for so much work: one where starting more would cost longer than they save.
inline std::size_t threads_for(std::size_t items) {
  constexpr std::size_t worthwhile = 200'000, most = 8;
  const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  return std::clamp<std::size_t>(items / worthwhile, 1, std::min(processors, most));
}

// work(k) for k = 0 .. threads - 1, the first on the calling thread; work must not throw.
template <class Work>
void run(std::size_t threads, Work work) {
  std::vector<std::thread> helpers;
  helpers.reserve(threads - 1);
  for (std::size_t k = 1; k < threads; ++k) helpers.emplace_back(work, k);
  work(0);
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace parallel
