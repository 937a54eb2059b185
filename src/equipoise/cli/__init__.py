"""The command line: `equipoise run | analyze | predict | reproduce | demo | info`.

Heavy modules load inside the commands, so that help is instant.
"""

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.circuits import (
    circuit_named,
    level_of,
    levels_of,
    paths_of,
    predicted_to,
    run_rates_to,
    run_spikes_to,
    run_to,
    strengths_of,
)
from equipoise.cli.designed import variability_of
from equipoise.cli.options import (
    errors,
    hours_of,
    in_day,
    in_h,
    in_Hz,
    in_ms,
    in_mV,
    in_s,
    in_uM,
    must_be_writable,
    numbers_of,
    option,
)
from equipoise.cli.recorded import analyze_to, recording_named
from equipoise.cli.reproduced import reproduce_to

app = typer.Typer(
    help="Excitatory-inhibitory balance and its homeostasis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Excitatory-inhibitory balance and its homeostasis."""


@app.command()
def run(
    circuit: Annotated[
        str, typer.Argument(help="A .toml file, or the name of a shipped circuit such as microcircuit.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Directory for the report and the data.")] = Path("output"),
    duration: Annotated[
        float | None,
        typer.Option(
            parser=in_h,
            metavar="<h>",
            help="Time under the rules, by default until the weights rest; without rules the "
            "length of a run that theory cannot replace, such as '20 s'.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample of neurons, and of the spikes.")] = 1,
    levels: Annotated[
        str, typer.Option(help="Levels beside each other: theory, and with it spiking and spectral, by commas.")
    ] = "theory",
    spikes: Annotated[
        float, typer.Option(parser=in_s, metavar="<s>", help="Length of the spikes beside theory.")
    ] = "10 s",  # type: ignore[assignment]
    resume: Annotated[bool, typer.Option("--resume", help="Go on with spikes where they were stopped.")] = False,
    page: Annotated[bool, typer.Option("--report/--no-report", help="Write the HTML report too.")] = True,
    open_report: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in the browser.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Solve a circuit in theory: its states, its balanced limit, and what its homeostatic rules do to it.

    A circuit of rate neurons, or with rules on thresholds, gains and weights, is studied as rates; one that neither
    can represent, of conductances, plastic synapses, adaptation or volleys, spike by spike.

    Exit code 1 if a part was not found; the report then says which and what to change.
    """
    with errors(debug):
        name, described = circuit_named(circuit)
        beside, (level, refusal) = levels_of(levels), level_of(described)
        if level != "theory" and len(beside) > 1:
            why = f"is one that theory cannot represent: {refusal}" if refusal else "is a circuit of rates alone."
            raise ValueError(f"--levels: {circuit} {why}")
        if level == "rates":
            written, complete = run_rates_to(name, described, out, duration=duration, page=page)
        elif level == "spikes":
            written, complete = run_spikes_to(
                name, described, out, duration=duration, seed=seed, page=page, refusal=refusal, resume=resume
            )
        else:
            written, complete = run_to(
                name, described, out, duration=duration, seed=seed, page=page, beside=beside, spikes=spikes
            )
        if open_report and page:
            typer.launch(str(written))
        if not complete:
            raise typer.Exit(1)


@app.command()
def analyze(
    recording: Annotated[
        str, typer.Argument(help="A file or folder that recordings.load reads, or an example: a2929, eeg, grasshopper.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Directory for the report and the data.")] = Path("output"),
    open_report: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in the browser.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    irregularity: Annotated[
        str, typer.Option(help="Which C_v the model neuron must show: local (from neighbouring intervals) or global.")
    ] = "local",
    time_unit: Annotated[
        str,
        option("Recording", "Unit of the file's times: s, ms, us, or s per tick such as 1/20000.", "--time-unit"),
    ] = "s",
    t_start: Annotated[
        float | None, option("Recording", "Start of the recording; default 0.", "--t-start", in_s, "s")
    ] = None,
    t_stop: Annotated[
        float | None, option("Recording", "End of the recording; default the last spike.", "--t-stop", in_s, "s")
    ] = None,
    epoch: Annotated[
        list[str] | None, option("Recording", "An epoch as NAME:START:STOP in s; may be repeated.", "--epoch")
    ] = None,
    unit: Annotated[
        list[str] | None,
        option("Recording", "A unit's name; repeat for all, silent ones too. Default those of the file.", "--unit"),
    ] = None,
    check_units: Annotated[
        bool, option("Recording", "Refuse times that look like a forgotten unit.", "--check-units/--no-check-units")
    ] = True,
    tau_m: Annotated[float, option("Neuron", "Membrane time constant.", "--tau-m", in_ms, "ms")] = "20 ms",  # type: ignore[assignment]
    tau_ref: Annotated[float, option("Neuron", "Refractory period.", "--tau-ref", in_ms, "ms")] = "2 ms",  # type: ignore[assignment]
    v_threshold: Annotated[float, option("Neuron", "Threshold above rest.", "--v-threshold", in_mV, "mV")] = "20 mV",  # type: ignore[assignment]
    v_reset: Annotated[float, option("Neuron", "Reset potential.", "--v-reset", in_mV, "mV")] = "10 mV",  # type: ignore[assignment]
    v_leak: Annotated[float, option("Neuron", "Leak potential.", "--v-leak", in_mV, "mV")] = "0 mV",  # type: ignore[assignment]
    tau_ca: Annotated[float, option("Calcium", "Decay time of calcium.", "--tau-ca", in_ms, "ms")] = "300 ms",  # type: ignore[assignment]
    influx: Annotated[float, option("Calcium", "Calcium per spike.", "--influx", in_uM, "uM")] = "1 uM",  # type: ignore[assignment]
    buffering: Annotated[
        float, option("Calcium", "Fraction of calcium removed at a spike (alpha).", "--buffering")
    ] = 0.1,
    rate_e: Annotated[
        float | None,
        option(
            "Inputs", "Rate of each excitatory input; default the recorded population's mean.", "--rate-e", in_Hz, "Hz"
        ),
    ] = None,
    rate_i: Annotated[
        float | None, option("Inputs", "Rate of each inhibitory input; default the same.", "--rate-i", in_Hz, "Hz")
    ] = None,
    in_degrees: Annotated[
        tuple, option("Inputs", "Numbers of inputs of each kind.", "--in-degrees", numbers_of, "K,K,...")
    ] = "100,1000,10000",  # type: ignore[assignment]
    surrogates: Annotated[int, option("Surrogates", "Surrogate trains of each kind.", "--surrogates")] = 200,
    smoothing: Annotated[float, option("Surrogates", "Kernel of the smoothed rate.", "--smoothing", in_s, "s")] = "1 s",  # type: ignore[assignment]
    seed: Annotated[int, option("Surrogates", "Seed of the surrogates.", "--seed")] = 1,
    manipulation: Annotated[
        str | None,
        option(
            "Manipulation", "What was done, such as optical or chemogenetic: asks which rule fits.", "--manipulation"
        ),
    ] = None,
    before: Annotated[str | None, option("Manipulation", "The epoch before it.", "--before")] = None,
    during: Annotated[str | None, option("Manipulation", "The epoch during it.", "--during")] = None,
    after: Annotated[str | None, option("Manipulation", "The epoch after it.", "--after")] = None,
    manipulated: Annotated[
        float, option("Manipulation", "Its length before the epoch during it.", "--manipulated", in_day, "day")
    ] = "2 day",  # type: ignore[assignment]
    washout: Annotated[
        float, option("Manipulation", "Time from its end to the epoch after it.", "--washout", in_day, "day")
    ] = "2 day",  # type: ignore[assignment]
    draws: Annotated[
        int, option("Manipulation", "Circuits drawn for each rule; more where few lie near the data.", "--draws")
    ] = 400,
    criticality_samples: Annotated[
        int, option("Criticality", "Bootstrap samples of avalanches.", "--criticality-samples")
    ] = 50,
    branching_lags: Annotated[
        int, option("Criticality", "Lags of the branching ratio, of 4 ms.", "--branching-lags")
    ] = 250,
    null_width: Annotated[
        float, option("Criticality", "Smoothing of the rate null.", "--null-width", in_ms, "ms")
    ] = "100 ms",  # type: ignore[assignment]
    field_low: Annotated[float, option("Fields", "Lower end of aperiodic fits.", "--field-low", in_Hz, "Hz")] = "3 Hz",  # type: ignore[assignment]
    field_high: Annotated[
        float, option("Fields", "Upper end, below the roll-off.", "--field-high", in_Hz, "Hz")
    ] = "40 Hz",  # type: ignore[assignment]
    slope_low: Annotated[float, option("Fields", "Lower end of slopes.", "--slope-low", in_Hz, "Hz")] = "30 Hz",  # type: ignore[assignment]
    slope_high: Annotated[float, option("Fields", "Upper end of them.", "--slope-high", in_Hz, "Hz")] = "50 Hz",  # type: ignore[assignment]
    band_low: Annotated[float, option("Fields", "Lower end of a band.", "--band-low", in_Hz, "Hz")] = "8 Hz",  # type: ignore[assignment]
    band_high: Annotated[float, option("Fields", "Upper end of it.", "--band-high", in_Hz, "Hz")] = "13 Hz",  # type: ignore[assignment]
    field_window: Annotated[float, option("Fields", "Segment of spectra.", "--field-window", in_s, "s")] = "2 s",  # type: ignore[assignment]
    field_length: Annotated[
        float, option("Fields", "Window of spectra over time.", "--field-length", in_s, "s")
    ] = "10 s",  # type: ignore[assignment]
    topic: Annotated[
        list[str] | None, typer.Option(help="One topic, such as cells; may be repeated. Default all.")
    ] = None,
) -> None:
    """Report all that a recording allows, topic by topic: cells, spikes, stability, populations, the verdict on rules.

    Numbers without a unit are in the unit named in angle brackets; "20ms" and "0.02 s" work too.
    """
    with errors(debug):
        from equipoise.inference import AnalysisSettings
        from equipoise.model.calcium import Calcium
        from equipoise.model.neurons import LIF

        settings = AnalysisSettings(
            neuron=LIF(tau_m=tau_m, tau_ref=tau_ref, v_threshold=v_threshold, v_reset=v_reset, v_leak=v_leak),
            sensor=Calcium(tau=tau_ca, influx=influx, buffering=buffering),
            irregularity=irregularity,
            in_degrees=in_degrees,
            rate_e=rate_e,
            rate_i=rate_i,
            surrogates=surrogates,
            smoothing=smoothing,
            seed=seed,
            manipulation=manipulation,
            phases={k: v for k, v in (("before", before), ("during", during), ("after", after)) if v is not None},
            manipulated=manipulated,
            washout=washout,
            draws=draws,
            criticality_samples=criticality_samples,
            branching_lags=branching_lags,
            null_width=null_width,
            field_low=field_low,
            field_high=field_high,
            slope_low=slope_low,
            slope_high=slope_high,
            band_low=band_low,
            band_high=band_high,
            field_window=field_window,
            field_length=field_length,
        )
        options = {"t_start": t_start, "t_stop": t_stop, "units": unit, "check_units": check_units}
        data = recording_named(recording, time_unit, epoch, **options)
        page = analyze_to(data, settings, out, topic)
        if open_report:
            typer.launch(str(page))


@app.command()
def reproduce(
    paper: Annotated[str, typer.Argument(help="Which source, for example 'calcium-homeostasis'.")],
    *,
    out: Annotated[Path, typer.Option(help="Directory; the source's name is added.")] = Path("output"),
    figure: Annotated[list[str] | None, typer.Option(help="Only this figure; may be repeated.")] = None,
    redraw: Annotated[bool, typer.Option("--redraw", help="Draw and check the saved data; compute nothing.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Compute and draw the figures of a source and check its claims; exit code 1 if one comes out unexpectedly."""
    with errors(debug):
        if not reproduce_to(paper, out / paper, figure or [], compute=not redraw):
            raise typer.Exit(1)


@app.command()
def predict(
    circuit: Annotated[
        str, typer.Argument(help="A .toml file, or the name of a shipped circuit such as balanced_network.")
    ],
    *,
    manipulation: Annotated[
        list[str],
        typer.Option(help="A name such as optical, with strengths optical=0.3,1; repeat for what acts at once."),
    ],
    rules: Annotated[str, typer.Option(help="Rules by commas, such as calcium,input-centric; default all.")] = "",
    level: Annotated[
        str | None, typer.Option(help="theory, spiking or both; default theory where it holds, else spiking.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="At level both, let rules follow the spikes too; takes minutes a rule.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the rules of a call that was stopped.")] = False,
    duration: Annotated[
        float, typer.Option(parser=in_h, metavar="<h>", help="How long the manipulation lasts.")
    ] = "48 h",  # type: ignore[assignment]
    washout: Annotated[float, typer.Option(parser=in_h, metavar="<h>", help="How long it is gone.")] = "48 h",  # type: ignore[assignment]
    tau: Annotated[float, typer.Option(parser=in_h, metavar="<h>", help="Time constant of the rules.")] = "1 h",  # type: ignore[assignment]
    seed: Annotated[int, typer.Option(help="Seed of the spikes and of the circuits of the design.")] = 0,
    out: Annotated[Path, typer.Option(help="Directory for the report and the data.")] = Path("output"),
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    design: Annotated[
        bool, option("Design", "Say what experiment tells the rules apart.", "--design/--no-design")
    ] = True,
    cells: Annotated[int, option("Design", "Cells that can be had in each recording.", "--cells")] = 20,
    recordings: Annotated[int, option("Design", "Recordings (animals) that can be had.", "--recordings")] = 6,
    alpha: Annotated[float, option("Design", "Rate of refusing a rule that is right.", "--alpha")] = 0.05,
    power: Annotated[float, option("Design", "Rate of refusing one that is wrong.", "--power")] = 0.8,
    moments: Annotated[
        tuple,
        option(
            "Design",
            "Times after each onset that may be recorded; default 1/16 and 1/4 of it.",
            "--moments",
            hours_of,
            "h,h,...",
        ),
    ] = "",  # type: ignore[assignment]
    draws: Annotated[int, option("Design", "Circuits drawn around this one, for each rule.", "--draws")] = 80,
    recording: Annotated[
        list[str] | None, option("Design", "A recording whose variability counts; may be repeated.", "--recording")
    ] = None,
    epoch: Annotated[
        list[str] | None, option("Design", "An epoch of it as NAME:START:STOP in s; may be repeated.", "--epoch")
    ] = None,
    between: Annotated[
        str,
        option("Design", "Two epochs between which units vary, best with nothing done; the first two.", "--between"),
    ] = "",
) -> None:
    """What each rule of homeostasis predicts of a manipulation of a circuit, and what experiment tells them apart.

    Exit code 1 if no rule could be followed.
    """
    with errors(debug):
        from equipoise import inference

        name, described = circuit_named(circuit)
        asked = [part.strip() for part in rules.split(",") if part.strip()] or None
        must_be_writable(out)
        afford = inference.PowerSettings(alpha=alpha, power=power, cells=cells, recordings=recordings)
        noise = variability_of(recording or [], epoch or [], between)
        planned = inference.DesignSettings(
            variability=noise, power=afford, moments=moments or None, draws=draws, seed=seed
        )
        spikes = inference.Spikes(seed=seed, follow=follow, store=paths_of(name, out, resume=resume), progress=True)
        found = inference.predict(
            described, strengths_of(manipulation), rules=asked, level=level, spans=(duration, washout), tau=tau,  # pyright: ignore[reportArgumentType]
            spikes=spikes, design=planned if design else None,
        )  # fmt: skip
        if not predicted_to(found, name, out):
            raise typer.Exit(1)


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Directory for everything.")] = Path("output"),
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Analyse the shipped recording, reproduce the paper's theory, let homeostasis find balance; name the reports."""
    with errors(debug):
        from equipoise import recordings
        from equipoise.inference import AnalysisSettings

        recorded = analyze_to(recordings.example(), AnalysisSettings(), out)
        as_expected = reproduce_to("calcium-homeostasis", out / "calcium-homeostasis", _quick(), compute=True)
        print()
        name, circuit = circuit_named("balanced_homeostasis")
        solved, complete = run_to(name, circuit, out)
        print(f"\nThe report on the recording is {recorded.resolve()}")
        print(f"The report on the network is   {solved.resolve()}")
        if not (as_expected and complete):
            raise typer.Exit(1)


def _quick() -> list[str]:
    """The figures of the paper that need no simulation."""
    from equipoise import papers

    figures = papers.find("calcium-homeostasis").figures
    return [figure.name for figure in figures if not isinstance(figure, papers.SimulatedFigure)]


@app.command()
def info() -> None:
    """Versions of the package and of what it stands on."""
    import platform
    from importlib.metadata import version

    print(f"equipoise {version('equipoise')} on Python {platform.python_version()}, {platform.machine()}")
    for name in ("numpy", "scipy", "xarray", "h5netcdf", "matplotlib"):
        print(f"  {name} {version(name)}")


def main() -> None:
    """Entry point of the command `equipoise`."""
    app()
