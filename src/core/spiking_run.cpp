// The spiking step over a stretch of time, on several threads.
//
// Each thread owns blocks of postsynaptic neurons: it delivers to them and updates them, and nobody else does, so that
// counts need no locks. Spikes reach others after the shortest delay at the earliest; the threads meet once per such
// window. Nothing that is computed depends on which thread does it.
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "arrays.hpp"
#include "spiking_deliver.hpp"
#include "spiking_update.hpp"
#include "subnormals.hpp"

namespace {

using spiking::Network;
using spiking::State;

template <class T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

struct Extent {
  std::size_t population, first, last, thread;  // columns of one population, and who owns them
};

// Threads meet here; the last to come lets all go on.
class Barrier {
 public:
  explicit Barrier(std::size_t n_threads) : n(n_threads) {}

  void meet() {
    if (n == 1) return;
    const std::size_t turn = turns.load(std::memory_order_relaxed);
    if (waiting.fetch_add(1, std::memory_order_acq_rel) + 1 == n) {
      waiting.store(0, std::memory_order_relaxed);
      turns.store(turn + 1, std::memory_order_release);
      return;
    }
    constexpr int patience = 4000;
    for (int tries = 0; turns.load(std::memory_order_acquire) == turn; ++tries)
      if (tries > patience) std::this_thread::yield();
  }

 private:
  std::size_t n;
  alignas(64) std::atomic<std::size_t> waiting{0};
  alignas(64) std::atomic<std::size_t> turns{0};
};

struct Job {
  const Network& network;
  const State& state;
  const spiking::Probes& probes;
  const std::vector<Extent>& extents;
  std::size_t window;
  Barrier& barrier;
};

// Ends of refractory periods that are over by a step, or counted from it.
EQ_INLINE void count_from(const State& state, std::size_t step, std::size_t first, std::size_t last) {
  const auto passed = static_cast<std::int32_t>(step);
  for (std::size_t i = first; i < last; ++i)
    state.silent[i] = static_cast<std::int16_t>(std::max(state.silent[i] - passed, 0));
}

// `width`: bytes of a vector register; `looked`: whether there are probes.
template <int width, bool looked>
EQ_INLINE void work_through(const Job& job, std::size_t thread) {
  const Network& network = job.network;
  const State& state = job.state;
  spiking::Senders senders(network, thread);
  spiking::Arrivals arrivals(network, senders, thread), next(network, senders, thread);
  spiking::Ahead ahead;
  spiking::Inbox inbox(network);
  spiking::Scratch scratch;
  std::size_t columns = 1;
  for (const Extent& extent : job.extents) columns += extent.thread == thread ? extent.last - extent.first : 0;
  for (std::size_t begin = 0; begin < state.steps; begin += job.window) {
    const std::size_t end = std::min(begin + job.window, state.steps);
    arrivals.see(network, state, begin, senders);
    for (std::size_t k = begin; k < end; ++k) {
      for (const spiking::Plasticity& rule : network.plastic)
        if (rule.thread == thread) spiking::fade(rule);
      for (const spiking::Release& release : network.releases)
        if (release.thread == thread) spiking::fade(release);
      arrivals.deliver_lists(network, state);
      if (k + 1 < end) {  // known already, as every delay is at least a window
        next.see(network, state, k + 1, senders);
        ahead.look(next, columns);
      }
      for (const Extent& extent : job.extents) {
        if (extent.thread != thread) continue;
        const spiking::Cells& cells = network.cells[extent.population];
        if (k > 0 && k % spiking::steps_of_turn == 0)
          count_from(state, spiking::steps_of_turn, extent.first * spiking::column_size,
                     extent.last * spiking::column_size);
        for (std::size_t column = extent.first; column < extent.last; ++column) {
          if (k + 1 < end) ahead.ask(next, column);
          arrivals.template deliver_bitmaps<width>(network, cells, state, column, inbox);
          spiking::update_column<width, looked>(network, cells, extent.population, state, job.probes, column, k, inbox,
                                                scratch);
        }
      }
      for (const spiking::Plasticity& rule : network.plastic)
        if (rule.thread == thread) spiking::answer(rule, state.row(state.history + k, network.columns));
      std::swap(arrivals, next);
    }
    job.barrier.meet();
  }
}

template <int width>
EQ_INLINE void work(const Job& job, std::size_t thread) {
  if (job.probes.n > 0)
    work_through<width, true>(job, thread);
  else
    work_through<width, false>(job, thread);
}

// The same work compiled for several instruction sets, by hand instead of EQ_CLONES so that tests can choose: 0 is the
// best that the machine has, 1 the baseline, 2 AVX2, 3 AVX-512.
using Worker = void (*)(const Job&, std::size_t);

void work_baseline(const Job& job, std::size_t thread) { work<16>(job, thread); }

#if defined(EQ_HAS_CLONES)
__attribute__((target("avx2"))) void work_avx2(const Job& job, std::size_t thread) { work<32>(job, thread); }
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512"))) void work_avx512(
    const Job& job, std::size_t thread) {
  work<64>(job, thread);
}

int best_instruction_set() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return 3;
  return __builtin_cpu_supports("avx2") ? 2 : 1;
}

Worker worker_for(int wanted) {
  const Worker workers[3] = {work_baseline, work_avx2, work_avx512};
  const int best = best_instruction_set();
  return workers[(wanted == 0 ? best : std::min(wanted, best)) - 1];
}
#else
int best_instruction_set() { return 1; }
Worker worker_for(int) { return work_baseline; }
#endif

// ---- arrays as they come from Python ------------------------------------------------------------

// Rows of strips in the order of the members, then one for each current.
spiking::Membranes membranes_of(const Vector<const float>& pool, const IndexIn& strips, std::size_t columns) {
  constexpr std::size_t fields = 8;
  const auto row = [&](std::size_t k) { return spiking::Strips{pool.data(), strips.data() + k * columns}; };
  std::vector<spiking::Strips> transfers;
  for (std::size_t k = fields; (k + 1) * columns <= strips.size(); ++k) transfers.push_back(row(k));
  same_size(strips.size(), (fields + transfers.size()) * columns);
  return {row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7), transfers};
}

// Whether the neurons of columns first to last have one value.
bool alike(const spiking::Strips& strips, std::size_t first, std::size_t last) {
  const float* values = strips.of(first);
  for (std::size_t column = first; column < last; ++column)
    if (strips.of(column) != values) return false;
  return std::all_of(values, values + spiking::column_size, [values](float x) { return x == values[0]; });
}

bool alike(const spiking::Membranes& of, std::size_t first, std::size_t last) {
  std::vector<spiking::Strips> all{of.decay, of.floor, of.reset, of.refractory, of.gain, of.onset, of.steepness};
  all.insert(all.end(), of.transfers.begin(), of.transfers.end());
  return std::all_of(all.begin(), all.end(), [=](const spiking::Strips& strips) { return alike(strips, first, last); });
}

// currents: rows of (population, decay, reversal, inhibits, jump, half, steepness, strength), which is a gate where
// strength is above 0 and then the last of its population; sinks and summed: (population, channel).
std::vector<spiking::Cells> cells_of(const IndexIn& first_columns, const In& currents, const IndexIn& sinks,
                                     const IndexIn& summed, const spiking::Membranes& membranes) {
  const std::size_t n = first_columns.size() - 1, channels = sinks.size() / n;
  same_size(summed.size(), sinks.size());
  std::vector<spiking::Cells> out;
  for (std::size_t p = 0; p < n; ++p) {
    const std::int64_t *own = sinks.data() + p * channels, *sums = summed.data() + p * channels;
    const auto first = static_cast<std::size_t>(first_columns.data()[p]);
    const auto last = static_cast<std::size_t>(first_columns.data()[p + 1]);
    const bool conduct = membranes.leak.of(first)[0] > 0.0f;  // a column begins with a neuron
    out.push_back({first, last, alike(membranes, first, last), conduct, {}, {}, {own, own + channels},
                   {sums, sums + channels}, std::vector<bool>(channels, false)});
  }
  constexpr std::size_t fields = 8;
  for (std::size_t i = 0; i + fields <= currents.size(); i += fields) {
    const double* x = currents.data() + i;
    const auto value = [x](std::size_t k) { return static_cast<float>(x[k]); };
    spiking::Cells& of = out[static_cast<std::size_t>(x[0])];
    if (x[7] > 0.0)
      of.gates.push_back({of.currents.size(), value(1), value(2), value(5), value(6), value(7), value(4)});
    else
      of.currents.push_back({value(1), value(2), x[3] != 0.0, value(4)});
  }
  return out;
}

std::vector<spiking::External> externals_of(const IndexIn& rows, const spiking::Strips& strips,
                                            const Vector<const std::int16_t>& thresholds,
                                            const Vector<const std::int32_t>& rests) {
  constexpr std::size_t fields = 11;
  std::vector<spiking::External> out;
  for (std::size_t i = 0; i + fields <= rows.size(); i += fields) {
    const std::int64_t* x = rows.data() + i;
    out.push_back({static_cast<std::size_t>(x[0]), static_cast<spiking::Noise>(x[1]), static_cast<std::uint32_t>(x[2]),
                   x[3], {strips.pool, strips.index + x[4]}, static_cast<std::size_t>(x[5]), thresholds.data() + x[6],
                   x[7] < 0 ? nullptr : thresholds.data() + x[7], static_cast<std::size_t>(x[8]),
                   rests.data() + x[9], x[10] < 0 ? nullptr : rests.data() + x[10]});
  }
  return out;
}

struct Synapses {
  Vector<const std::uint16_t> targets;
  Vector<const std::uint32_t> offsets;
  Vector<const std::uint64_t> bits;
  Vector<const float> weights;
};

// rows: (thread, first column, columns, traces; start of begins, of synapses and of their traces in `incoming`; of
// weights, of the traces of arrivals and of neurons in `memory`); laws: (decay, eta, offset, most).
std::vector<spiking::Plasticity> plasticities_of(const IndexIn& rows, const In& laws,
                                                 const Vector<const std::uint32_t>& incoming,
                                                 const Vector<float>& memory) {
  constexpr std::size_t fields = 10;
  std::vector<spiking::Plasticity> out;
  for (std::size_t i = 0; (i + 1) * fields <= rows.size(); ++i) {
    const std::int64_t* x = rows.data() + i * fields;
    const double* law = laws.data() + 4 * i;
    const auto size = [x](std::size_t k) { return static_cast<std::size_t>(x[k]); };
    const auto value = [law](std::size_t k) { return static_cast<float>(law[k]); };
    out.push_back({size(0), size(1), size(2), size(3), value(0), value(1), value(2), value(3), incoming.data() + x[4],
                   incoming.data() + x[5], incoming.data() + x[6], memory.data() + x[7], memory.data() + x[8],
                   memory.data() + x[9]});
  }
  return out;
}

// rows: (thread, presynaptic neurons times delays, start of both traces in `memory`); laws: (decays, use).
std::vector<spiking::Release> releases_of(const IndexIn& rows, const In& laws, const Vector<float>& memory) {
  std::vector<spiking::Release> out;
  for (std::size_t i = 0; (i + 1) * 4 <= rows.size(); ++i) {
    const std::int64_t* x = rows.data() + i * 4;
    const double* law = laws.data() + 3 * i;
    out.push_back({static_cast<std::size_t>(x[0]), static_cast<std::size_t>(x[1]), static_cast<float>(law[0]),
                   static_cast<float>(law[1]), static_cast<float>(law[2]), memory.data() + x[2], memory.data() + x[3]});
  }
  return out;
}

std::vector<spiking::Table> tables_of(const IndexIn& rows, const Synapses& all,
                                      const std::vector<spiking::Plasticity>& plastic) {
  constexpr std::size_t fields = 15;
  std::vector<spiking::Table> out;
  for (std::size_t i = 0; i + fields <= rows.size(); i += fields) {
    const std::int64_t* x = rows.data() + i;
    const auto size = [x](std::size_t k) { return static_cast<std::size_t>(x[k]); };
    const auto form = static_cast<spiking::Form>(x[0]);
    const bool bitmap = form == spiking::Form::bitmap, weighted = form == spiking::Form::weighted;
    const float* own = !weighted ? nullptr : x[12] < 0 ? all.weights.data() + x[11] : plastic[size(12)].weights;
    out.push_back({form, size(1), size(2), size(3), size(4), size(5), size(6), size(7), size(8),
                   bitmap ? nullptr : all.targets.data() + x[9], bitmap ? nullptr : all.offsets.data() + x[10],
                   bitmap ? all.bits.data() + x[9] : nullptr, own, x[12], x[13], size(14)});
  }
  return out;
}

std::vector<Extent> extents_of(const IndexIn& rows) {
  std::vector<Extent> out;
  for (std::size_t i = 0; i + 4 <= rows.size(); i += 4) {
    const std::int64_t* x = rows.data() + i;
    out.push_back({static_cast<std::size_t>(x[0]), static_cast<std::size_t>(x[1]), static_cast<std::size_t>(x[2]),
                   static_cast<std::size_t>(x[3])});
  }
  return out;
}

// Which channels of a population count what lists bring.
void mark_listed(Network& network) {
  for (const spiking::Table& table : network.tables)
    for (spiking::Cells& cells : network.cells)
      if (table.form == spiking::Form::list && table.target_first >= cells.first && table.target_first < cells.last)
        cells.listed[table.channel] = true;
}

// places: rising, those of the probes.
spiking::Probes probes_of(const IndexIn& places, const Vector<float>& split, const Vector<float>& trace,
                          double per_step, std::size_t columns, std::size_t steps) {
  const std::size_t n = places.size();
  if (n == 0) return {places.data(), 0, {}, nullptr, 0, nullptr, 0.0f};
  same_size(trace.size(), steps * n * spiking::trace_values);
  spiking::Probes out{places.data(), n, {}, split.data(), split.size() / (n * spiking::kinds), trace.data(),
                      static_cast<float>(per_step)};
  for (std::size_t column = 0, p = 0; column <= columns; ++column) {
    while (p < n && static_cast<std::size_t>(out.places[p]) < column * spiking::column_size) ++p;
    out.first.push_back(p);
  }
  same_size(out.first.back(), n);
  return out;
}

// strips: which strip of the pool each column uses, for drive, threshold and each channel, then for the externals.
void spiking_run(Vector<const float> membranes, IndexIn membrane_strips, IndexIn first_columns, In currents,
                 IndexIn sinks, IndexIn summed, IndexIn extents, IndexIn tables, IndexIn externals,
                 Vector<const float> pool, IndexIn strips, Vector<const std::int16_t> thresholds,
                 Vector<const std::int32_t> rests, Vector<const std::uint16_t> targets,
                 Vector<const std::uint32_t> offsets, Vector<const std::uint64_t> bits, Vector<const float> synaptic,
                 Vector<const std::uint64_t> key, Vector<float> v, Vector<std::int16_t> silent, Vector<float> s,
                 Vector<std::uint16_t> counts, Vector<float> sums, Vector<std::uint64_t> raster,
                 std::int64_t first_step, std::int64_t history, std::int64_t steps, std::int64_t window,
                 std::int64_t n_threads, int instruction_set, IndexIn probes, Vector<float> split, Vector<float> trace,
                 double per_step, IndexIn plastic, In laws, Vector<const std::uint32_t> incoming,
                 Vector<float> memory, IndexIn releases, In release_laws, Vector<float> released) {
  same_size(key.size(), 2);
  const auto columns = static_cast<std::size_t>(first_columns.data()[first_columns.size() - 1]);
  const std::size_t n = columns * spiking::column_size, channels = sinks.size() / (first_columns.size() - 1);
  same_size(v.size(), n);
  same_size(silent.size(), n);
  same_size(counts.size(), channels * n);
  if (sums.size() != 0) same_size(sums.size(), channels * n);
  same_size(raster.size(), static_cast<std::size_t>(history + steps) * columns * spiking::words_per_column);
  const auto strip = [&](std::size_t k) { return spiking::Strips{pool.data(), strips.data() + k * columns}; };
  std::vector<spiking::Strips> weights;
  for (std::size_t c = 0; c < channels; ++c) weights.push_back(strip(2 + c));
  const spiking::Membranes all = membranes_of(membranes, membrane_strips, columns);
  const std::vector<spiking::Plasticity> learning = plasticities_of(plastic, laws, incoming, memory);
  Network network{cells_of(first_columns, currents, sinks, summed, all),
                  all,
                  externals_of(externals, strip(0), thresholds, rests),
                  tables_of(tables, {targets, offsets, bits, synaptic}, learning),
                  learning,
                  releases_of(releases, release_laws, released),
                        spiking::Key(key.data()[0], key.data()[1]),
                        columns,
                        channels,
                        strip(0),
                        strip(1),
                        weights};
  mark_listed(network);
  const State state{v.data(),
                    silent.data(),
                    s.data(),
                    counts.data(),
                    sums.data(),
                    raster.data(),
                    static_cast<std::uint64_t>(first_step),
                    static_cast<std::size_t>(history),
                    static_cast<std::size_t>(steps)};
  const std::vector<Extent> owned = extents_of(extents);
  Barrier barrier(static_cast<std::size_t>(n_threads));
  const spiking::Probes probed = probes_of(probes, split, trace, per_step, columns, state.steps);
  const Job job{network, state, probed, owned, static_cast<std::size_t>(window), barrier};
  const auto worker = [&job, chosen = worker_for(instruction_set)](std::size_t thread) {
    const spiking::NoSubnormals here;
    chosen(job, thread);
  };
  std::vector<std::thread> others;
  for (std::size_t t = 1; t < static_cast<std::size_t>(n_threads); ++t) others.emplace_back(worker, t);
  worker(0);
  for (std::thread& other : others) other.join();
  if (steps > 0) count_from(state, (static_cast<std::size_t>(steps) - 1) % spiking::steps_of_turn + 1, 0, n);
}

// ---- what a raster holds, and random words by themselves ----------------------------------------

EQ_CLONES static std::uint64_t count_bits(const std::uint64_t* words, std::size_t n) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::uint64_t x = words[i];
    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0FULL;
    sum += (x * 0x0101010101010101ULL) >> 56;
  }
  return sum;
}

std::int64_t spiking_count(Vector<const std::uint64_t> raster) {
  return static_cast<std::int64_t>(count_bits(raster.data(), raster.size()));
}

void spiking_list(Vector<const std::uint64_t> raster, std::int64_t columns, Vector<std::int32_t> steps,
                  Vector<std::int32_t> places) {
  const std::size_t words = static_cast<std::size_t>(columns) * spiking::words_per_column;
  std::vector<std::uint32_t> fired;
  std::size_t written = 0;
  for (std::size_t k = 0; (k + 1) * words <= raster.size(); ++k) {
    spiking::list_spikes(raster.data() + k * words, 0, static_cast<std::size_t>(columns), fired);
    if (written + fired.size() > steps.size()) same_size(written + fired.size(), steps.size());
    for (const std::uint32_t neuron : fired) {
      steps.data()[written] = static_cast<std::int32_t>(k);
      places.data()[written++] = static_cast<std::int32_t>(neuron);
    }
  }
}

// Spikes of the units that are recorded in order, and the counts of all in bins that count from that of the first step.
std::int64_t spiking_take(Vector<const std::uint64_t> raster, IndexIn population_of, Vector<const std::int32_t> unit_of,
                          std::int64_t first_step, std::int64_t bin_steps, Vector<std::int64_t> counts,
                          Vector<std::int64_t> steps, Vector<std::int64_t> units) {
  const std::size_t columns = population_of.size(), row = columns * spiking::words_per_column;
  same_size(unit_of.size(), columns * spiking::column_size);
  const std::int64_t n = *std::max_element(population_of.data(), population_of.data() + columns) + 1;
  std::size_t written = 0;
  for (std::size_t k = 0; (k + 1) * row <= raster.size(); ++k) {
    const std::int64_t step = first_step + static_cast<std::int64_t>(k);
    std::int64_t* count = counts.data() + (step / bin_steps - first_step / bin_steps) * n;
    for (std::size_t w = 0; w < row; ++w) {
      std::uint64_t word = raster.data()[k * row + w];
      if (word == 0) continue;
      count[population_of.data()[w / spiking::words_per_column]] += __builtin_popcountll(word);
      for (; word != 0; word &= word - 1) {
        const std::int32_t unit = unit_of.data()[64 * w + static_cast<std::size_t>(__builtin_ctzll(word))];
        if (unit < 0) continue;
        steps.data()[written] = step;
        units.data()[written++] = unit;
      }
    }
  }
  return static_cast<std::int64_t>(written);
}

void spiking_words(Vector<const std::uint64_t> key, std::int64_t stream, std::int64_t step, std::int64_t first_column,
                   Vector<std::uint32_t> out) {
  same_size(key.size(), 2);
  const spiking::Key words(key.data()[0], key.data()[1]);
  for (std::size_t c = 0; (c + 1) * spiking::column_size <= out.size(); ++c)
    spiking::column_words<spiking::blocks_of_words>(words, static_cast<std::uint32_t>(stream), static_cast<std::uint64_t>(step),
                          static_cast<std::size_t>(first_column) + c, out.data() + c * spiking::column_size);
}

}  // namespace

void bind_spiking_run(nb::module_& m) {
  const auto free = nb::call_guard<nb::gil_scoped_release>();
  m.def("spiking_run", &spiking_run, free, nb::arg("membranes"), nb::arg("membrane_strips"), nb::arg("first_columns"),
        nb::arg("currents"), nb::arg("sinks"), nb::arg("summed"), nb::arg("extents"), nb::arg("tables"),
        nb::arg("externals"), nb::arg("pool"), nb::arg("strips"), nb::arg("thresholds"), nb::arg("rests"),
        nb::arg("targets"), nb::arg("offsets"), nb::arg("bits"), nb::arg("synaptic"), nb::arg("key"), nb::arg("v"),
        nb::arg("silent"), nb::arg("s"), nb::arg("counts"), nb::arg("sums"), nb::arg("raster"),
        nb::arg("first_step"), nb::arg("history"), nb::arg("steps"), nb::arg("window"), nb::arg("n_threads"),
        nb::arg("instruction_set"), nb::arg("probes"), nb::arg("split"), nb::arg("trace"), nb::arg("per_step"),
        nb::arg("plastic"), nb::arg("laws"), nb::arg("incoming"), nb::arg("memory"), nb::arg("releases"),
        nb::arg("release_laws"), nb::arg("released"));
  m.def("spiking_count", &spiking_count, nb::arg("raster"));
  m.def("spiking_list", &spiking_list, nb::arg("raster"), nb::arg("columns"), nb::arg("steps"), nb::arg("places"));
  m.def("spiking_take", &spiking_take, nb::arg("raster"), nb::arg("population_of"), nb::arg("unit_of"),
        nb::arg("first_step"), nb::arg("bin_steps"), nb::arg("counts"), nb::arg("steps"), nb::arg("units"));
  m.def("spiking_words", &spiking_words, nb::arg("key"), nb::arg("stream"), nb::arg("step"), nb::arg("first_column"),
        nb::arg("out"));
  m.def("spiking_instruction_set", &best_instruction_set);
}
