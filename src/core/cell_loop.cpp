// One cell end to end: membrane, spikes, calcium and weights in one event loop. Between spikes calcium and weights move
// in closed form (weight_rule.hpp); the input's mu and sigma follow the weights at each spike and after `flush` seconds
// without one. A step that would end after `t_stop` is undone, random words included, and taken again by the next call:
// a run in pieces equals the run in one piece, bit by bit.
#include <cstdint>

#include "arrays.hpp"
#include "bind_membrane.hpp"
#include "weight_rule.hpp"

// Places in the flat state.
enum Place { kTime, kElapsed, kPotential, kCalcium, kJe, kJi, kTargetE, kTargetI, kSpikes, kSamples, kWindowStart,
             kWindowFirst, kWindowSecond, kWindowSpikes, kPlaces };

constexpr std::size_t kColumns = 8;  // of a sample

enum Outcome { kDone, kBudgetSpent, kNotFinite };

struct Input {
  double gain_e, gain_i, drive, power_e, power_i;  // mu = gain_e J_E - gain_i J_I + drive, sigma^2 = power . J^2
};

// The slow half of the loop: calcium, weights, set points and their record since `time`, the last update.
class Trace {
 public:
  Trace(const Out& state, const Sensor& sensor_, const Rule& rule_, double sample_every, const Out& samples_,
        const Out& spikes_)
      : slow{state(kCalcium), state(kJe), state(kJi), state(kTargetE), state(kTargetI)},
        time(state(kTime)),
        sensor(sensor_),
        rule(rule_),
        every(sample_every),
        samples(samples_),
        spike_times(spikes_),
        n_spikes(state(kSpikes)),
        n_samples(state(kSamples)),
        window{state(kWindowStart), {state(kWindowFirst), state(kWindowSecond)}, state(kWindowSpikes)} {}

  void save(const Out& state) const {
    state(kTime) = time;
    state(kCalcium) = slow.calcium;
    state(kJe) = slow.j_e;
    state(kJi) = slow.j_i;
    state(kTargetE) = slow.target_e;
    state(kTargetI) = slow.target_i;
    state(kSpikes) = n_spikes;
    state(kSamples) = n_samples;
    state(kWindowStart) = window.start;
    state(kWindowFirst) = window.integrals.first;
    state(kWindowSecond) = window.integrals.second;
    state(kWindowSpikes) = window.spikes;
  }

  // Commit t seconds without a spike.
  void advance(double t) {
    const Decay decay = decay_in(t, sensor.tau);
    sample_until(time + t);
    add_to_window(t, decay);
    slow = relax(slow, t, decay, sensor, rule);
    time += t;
  }

  void fire() {
    spike(slow, sensor, rule);
    const auto place = static_cast<std::size_t>(n_spikes - first_kept);
    if (place < spike_times.shape(0)) spike_times(place) = time;
    n_spikes += 1.0;
    window.spikes += 1.0;
  }

  // Record what is due until `stop`; nothing that the dynamics depend on is touched.
  void sample_until(double stop) {
    for (double at = every * (n_samples + 1.0); at <= stop; at = every * (n_samples + 1.0)) {
      add_to_window(at - time, decay_in(at - time, sensor.tau));
      write(at);
      window = {at, {0.0, 0.0}, 0.0};
      n_samples += 1.0;
    }
  }

  Slow after(double t, const Decay& decay) const { return relax(slow, t, decay, sensor, rule); }

  Slow at(double moment) const {
    const double t = std::max(0.0, moment - time);
    return after(t, decay_in(t, sensor.tau));
  }

  Decay decay_over(double t) const { return decay_in(t, sensor.tau); }

  Slow slow;
  double time;

 private:
  // The integrals from the last update, or from the window's start if that is later, to t after it.
  void add_to_window(double t, const Decay& decay) {
    Integrals seen;
    if (window.start <= time) {
      seen = calcium_integrals(slow.calcium, decay, sensor.tau);
    } else {
      const double before = window.start - time, rest = std::max(0.0, t - before);
      seen = calcium_integrals(slow.calcium * std::exp(-before / sensor.tau), decay_in(rest, sensor.tau), sensor.tau);
    }
    window.integrals.first += seen.first;
    window.integrals.second += seen.second;
  }

  void write(double at_time) {
    const auto row = static_cast<std::size_t>(n_samples - first_row) * kColumns;
    if (row + kColumns > samples.shape(0)) return;
    const Slow now = at(at_time);
    const double width = at_time - window.start;
    const double values[kColumns] = {at_time,
                                     now.j_e,
                                     now.j_i,
                                     now.target_e,
                                     now.target_i,
                                     window.integrals.first / width,
                                     window.integrals.second / width,
                                     window.spikes};
    for (std::size_t i = 0; i < kColumns; ++i) samples(row + i) = values[i];
  }

  struct Window {
    double start;
    Integrals integrals;
    double spikes;
  };

  Sensor sensor;
  Rule rule;
  double every;
  Out samples, spike_times;
  double n_spikes, n_samples;
  Window window;
  double first_kept = n_spikes, first_row = n_samples;  // the buffers begin where this call does
};

template <class Membrane>
static Outcome run(Membrane& membrane, const Silence& after, const Input& input, Trace& trace, double& v,
                   double& elapsed, Random& random, double t_stop, double flush, std::int64_t budget) {
  // The input until the next update is that of the weights halfway there, which without a spike are known: an error of
  // second order in `flush`, where the weights of its beginning would give the first.
  const double ahead = 0.5 * flush;
  const Decay decay_ahead = trace.decay_over(ahead);
  const auto feel = [&] {
    const Slow halfway = trace.after(ahead, decay_ahead);
    const double j_e = halfway.j_e, j_i = halfway.j_i;
    const double mu = input.gain_e * j_e - input.gain_i * j_i + input.drive;
    const double variance = input.power_e * j_e * j_e + input.power_i * j_i * j_i;
    membrane.set_input(mu, std::sqrt(variance));
    return std::isfinite(mu) && std::isfinite(variance);
  };
  if (!feel()) return kNotFinite;
  for (std::int64_t i = 0; i < budget; ++i) {
    const double now = trace.time + elapsed;
    if (now >= t_stop) return kDone;
    if (elapsed >= flush) {
      trace.advance(elapsed);
      elapsed = 0.0;
      if (!feel()) return kNotFinite;
      continue;
    }
    const double longest = flush - elapsed, v_before = v;
    const Random before = random;
    const Step step = membrane.step(v, longest, random);
    if (now + step.dt > t_stop) {
      v = v_before;
      random = before;
      return kDone;
    }
    elapsed += step.dt;
    if (!step.spike) continue;
    trace.advance(elapsed);
    trace.fire();
    v = after.v_reset;
    elapsed = after.tau_ref;
    if (!feel()) return kNotFinite;
  }
  return kBudgetSpent;
}

static Sensor sensor_of(const In& a) {
  same_size(a.shape(0), 3);
  return {a(0), a(1), a(2)};
}

static Rule rule_of(const In& a) {
  same_size(a.shape(0), 5);
  return {static_cast<Sensed>(static_cast<int>(a(0))), a(1) != 0.0, a(2), a(3), a(4)};
}

static void write_now(const Slow& now, const Out& out) {
  same_size(out.shape(0), 5);
  const double values[5] = {now.calcium, now.j_e, now.j_i, now.target_e, now.target_i};
  for (std::size_t i = 0; i < 5; ++i) out(i) = values[i];
}

// times = (t_stop, flush, sample_every); `samples` takes rows of (t, J_E, J_I, nu*, mu*, <C>, <C^2>, spikes), one per
// window, `spikes` the spike times of this call as far as it reaches, `now` calcium, weights and set points at t_stop.
static int cell_run(In neuron, In inputs, In sensor, In rule, In times, Out state, Words words, Out samples, Out spikes,
                    Out now, std::int64_t budget) {
  same_size(state.shape(0), kPlaces);
  same_size(inputs.shape(0), 5);
  same_size(times.shape(0), 3);
  const Input input{inputs(0), inputs(1), inputs(2), inputs(3), inputs(4)};
  Trace trace(state, sensor_of(sensor), rule_of(rule), times(2), samples, spikes);
  Random random = load(words);
  double v = state(kPotential), elapsed = state(kElapsed);
  const Outcome outcome = with_membrane(neuron, [&](auto membrane, const Silence& after) {
    return run(membrane, after, input, trace, v, elapsed, random, times(0), times(1), budget);
  });
  if (outcome == kDone) trace.sample_until(times(0));
  trace.save(state);
  state(kPotential) = v;
  state(kElapsed) = elapsed;
  store(random, words);
  write_now(outcome == kDone ? trace.at(times(0)) : trace.slow, now);
  return outcome;
}

// The rule alone, driven by given spike times (sorted, in (state time, t_stop]).
static void rule_run(In spike_times, In sensor, In rule, In times, Out state, Out samples, Out now) {
  same_size(state.shape(0), kPlaces);
  same_size(times.shape(0), 3);
  double none = 0.0;
  Out nothing(&none, {0});
  Trace trace(state, sensor_of(sensor), rule_of(rule), times(2), samples, nothing);
  const auto advance_to = [&](double t) {
    while (t - trace.time > times(1)) trace.advance(times(1));
    if (t > trace.time) trace.advance(t - trace.time);
  };
  for (std::size_t i = 0; i < spike_times.shape(0); ++i) {
    advance_to(spike_times(i));
    trace.fire();
  }
  advance_to(times(0));
  trace.save(state);
  write_now(trace.slow, now);
}

void bind_cell_loop(nb::module_& m) {
  m.def("cell_run", &cell_run, nb::call_guard<nb::gil_scoped_release>(), nb::arg("neuron"), nb::arg("inputs"),
        nb::arg("sensor"), nb::arg("rule"), nb::arg("times"), nb::arg("state"), nb::arg("words"), nb::arg("samples"),
        nb::arg("spikes"), nb::arg("now"), nb::arg("budget"));
  m.def("rule_run", &rule_run, nb::arg("spike_times"), nb::arg("sensor"), nb::arg("rule"), nb::arg("times"),
        nb::arg("state"), nb::arg("samples"), nb::arg("now"));
}
