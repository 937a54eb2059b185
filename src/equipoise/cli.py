"""The command line: `equipoise run | analyze | reproduce | demo | info`.

Heavy modules load inside the commands, so that help is instant.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from equipoise import units
from equipoise.quantities import suggest

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from equipoise.inference import AnalysisSettings
    from equipoise.model.circuit import Circuit
    from equipoise.papers import Reproduced
    from equipoise.results import Epoch, Recording

app = typer.Typer(
    help="Excitatory-inhibitory balance and its homeostasis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

TIME = {"s": 1.0, "ms": units.ms, "us": units.us, "min": units.minute, "h": units.hour, "day": units.day}
POTENTIAL = {"V": 1.0, "mV": units.mV, "uV": units.uV}
RATE = {"Hz": 1.0, "kHz": units.kHz}
CALCIUM = {"uM": 1.0, "nM": units.nM}
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s]*)\s*")


def parse_quantity(text: str, known: dict[str, float], default: str) -> float:
    """The SI value of a text such as "20 ms", "20ms" or "20" (then in the `default` unit); raises ValueError."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a number with a unit such as '20 {default}', got {text!r}.")
    unit = match[2].replace("µ", "u").replace("μ", "u") or default
    if unit not in known:
        raise ValueError(f"has the unknown unit {match[2]!r}.{suggest(unit, known)}")
    return float(match[1]) * known[unit]


def _quantity(known: dict[str, float], default: str) -> Callable[[str | float], float]:
    def parse(text: str | float) -> float:
        try:
            return parse_quantity(str(text), known, default)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    parse.__name__ = default
    return parse


_ms, _s, _h = _quantity(TIME, "ms"), _quantity(TIME, "s"), _quantity(TIME, "h")
_mV, _Hz, _uM = _quantity(POTENTIAL, "mV"), _quantity(RATE, "Hz"), _quantity(CALCIUM, "uM")


def _in_degrees(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in str(text).replace(" ", "").split(","))
    except ValueError:
        raise typer.BadParameter(f"must be whole numbers with commas such as '100,1000', got {text!r}.") from None


_in_degrees.__name__ = "K,K,..."


def _option(panel: str, text: str, name: str, parser: Callable | None = None, unit: str = ""):
    more = {"parser": parser, "metavar": f"<{unit}>"} if parser else {}
    return typer.Option(name, help=text, rich_help_panel=panel, **more)


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
            parser=_h,
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
        float, typer.Option(parser=_s, metavar="<s>", help="Length of the spikes beside theory.")
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
        name, described = _circuit(circuit)
        beside, (level, refusal) = _levels(levels), level_of(described)
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
        _option("Recording", "Unit of the file's times: s, ms, us, or s per tick such as 1/20000.", "--time-unit"),
    ] = "s",
    t_start: Annotated[
        float | None, _option("Recording", "Start of the recording; default 0.", "--t-start", _s, "s")
    ] = None,
    t_stop: Annotated[
        float | None, _option("Recording", "End of the recording; default the last spike.", "--t-stop", _s, "s")
    ] = None,
    epoch: Annotated[
        list[str] | None, _option("Recording", "An epoch as NAME:START:STOP in s; may be repeated.", "--epoch")
    ] = None,
    unit: Annotated[
        list[str] | None,
        _option("Recording", "A unit's name; repeat for all, silent ones too. Default those of the file.", "--unit"),
    ] = None,
    check_units: Annotated[
        bool, _option("Recording", "Refuse times that look like a forgotten unit.", "--check-units/--no-check-units")
    ] = True,
    tau_m: Annotated[float, _option("Neuron", "Membrane time constant.", "--tau-m", _ms, "ms")] = "20 ms",  # type: ignore[assignment]
    tau_ref: Annotated[float, _option("Neuron", "Refractory period.", "--tau-ref", _ms, "ms")] = "2 ms",  # type: ignore[assignment]
    v_threshold: Annotated[float, _option("Neuron", "Threshold above rest.", "--v-threshold", _mV, "mV")] = "20 mV",  # type: ignore[assignment]
    v_reset: Annotated[float, _option("Neuron", "Reset potential.", "--v-reset", _mV, "mV")] = "10 mV",  # type: ignore[assignment]
    v_leak: Annotated[float, _option("Neuron", "Leak potential.", "--v-leak", _mV, "mV")] = "0 mV",  # type: ignore[assignment]
    tau_ca: Annotated[float, _option("Calcium", "Decay time of calcium.", "--tau-ca", _ms, "ms")] = "300 ms",  # type: ignore[assignment]
    influx: Annotated[float, _option("Calcium", "Calcium per spike.", "--influx", _uM, "uM")] = "1 uM",  # type: ignore[assignment]
    buffering: Annotated[
        float, _option("Calcium", "Fraction of calcium removed at a spike (alpha).", "--buffering")
    ] = 0.1,
    rate_e: Annotated[
        float | None,
        _option(
            "Inputs", "Rate of each excitatory input; default the recorded population's mean.", "--rate-e", _Hz, "Hz"
        ),
    ] = None,
    rate_i: Annotated[
        float | None, _option("Inputs", "Rate of each inhibitory input; default the same.", "--rate-i", _Hz, "Hz")
    ] = None,
    in_degrees: Annotated[
        tuple, _option("Inputs", "Numbers of inputs of each kind.", "--in-degrees", _in_degrees, "K,K,...")
    ] = "100,1000,10000",  # type: ignore[assignment]
    surrogates: Annotated[int, _option("Surrogates", "Surrogate trains of each kind.", "--surrogates")] = 200,
    smoothing: Annotated[float, _option("Surrogates", "Kernel of the smoothed rate.", "--smoothing", _s, "s")] = "1 s",  # type: ignore[assignment]
    seed: Annotated[int, _option("Surrogates", "Seed of the surrogates.", "--seed")] = 1,
    criticality_samples: Annotated[
        int, _option("Criticality", "Bootstrap samples of avalanches.", "--criticality-samples")
    ] = 50,
    branching_lags: Annotated[
        int, _option("Criticality", "Lags of the branching ratio, of 4 ms.", "--branching-lags")
    ] = 250,
    null_width: Annotated[
        float, _option("Criticality", "Smoothing of the rate null.", "--null-width", _ms, "ms")
    ] = "100 ms",  # type: ignore[assignment]
    field_low: Annotated[float, _option("Fields", "Lower end of aperiodic fits.", "--field-low", _Hz, "Hz")] = "3 Hz",  # type: ignore[assignment]
    field_high: Annotated[
        float, _option("Fields", "Upper end, below the roll-off.", "--field-high", _Hz, "Hz")
    ] = "40 Hz",  # type: ignore[assignment]
    slope_low: Annotated[float, _option("Fields", "Lower end of slopes compared.", "--slope-low", _Hz, "Hz")] = "30 Hz",  # type: ignore[assignment]
    slope_high: Annotated[float, _option("Fields", "Upper end of them.", "--slope-high", _Hz, "Hz")] = "50 Hz",  # type: ignore[assignment]
    band_low: Annotated[float, _option("Fields", "Lower end of the band over time.", "--band-low", _Hz, "Hz")] = "8 Hz",  # type: ignore[assignment]
    band_high: Annotated[float, _option("Fields", "Upper end of it.", "--band-high", _Hz, "Hz")] = "13 Hz",  # type: ignore[assignment]
    field_window: Annotated[float, _option("Fields", "Segment of spectra.", "--field-window", _s, "s")] = "2 s",  # type: ignore[assignment]
    field_length: Annotated[
        float, _option("Fields", "Window of spectra over time.", "--field-length", _s, "s")
    ] = "10 s",  # type: ignore[assignment]
    topic: Annotated[
        list[str] | None, typer.Option(help="One topic, such as cells; may be repeated. Default all.")
    ] = None,
) -> None:
    """Report all that a recording allows, topic by topic: cells, criticality, fields, homeostasis.

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
        data = _load(recording, time_unit, epoch, **options)
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
        name, circuit = _circuit("balanced_homeostasis")
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


def reproduce_to(key: str, out: Path, names: list[str], *, compute: bool) -> bool:
    """Reproduce with a progress bar, print figures and claims; returns whether all claims came out as expected."""
    from rich.console import Console
    from rich.progress import Progress

    from equipoise import papers

    paper = papers.find(key)
    figures = papers.chosen(paper, names)
    if compute or out.exists():
        _must_be_writable(out)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Reproducing {key}", total=len(figures))

        def tell(figure: papers.Figure, fraction: float) -> None:
            bar.update(task, completed=figures.index(figure) + fraction, description=figure.title)

        done = list(papers.reproduce(paper, out, names=names, compute=compute, progress=tell))
    console = Console()
    console.print(_claims_table(paper.title, done))
    papers.write_claims(paper, done, out / "claims.md")
    claims = [claim for one in done for claim in one.claims]
    unexpected = sum(not claim.as_expected for claim in claims)
    refuted = sum(not claim.holds for claim in claims)
    console.print(f"{len(claims)} claims checked: {refuted} do not hold, {unexpected} with an unexpected outcome.")
    console.print(f"Figures and data: {out}", soft_wrap=True, highlight=False)
    return unexpected == 0


def _claims_table(title: str, done: "list[Reproduced]") -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=False, pad_edge=False)
    for column, width in (("claim", 46), ("found", 48), ("verdict", 13)):
        table.add_column(column, max_width=width)
    for one in done:
        table.add_section()
        table.add_row(f"[bold]{one.figure.title}[/bold] ({one.figure.name})")
        for claim in one.claims:
            colour = "red" if not claim.as_expected else "green" if claim.holds else "yellow"
            table.add_row(f"{claim.text} ({claim.source})", claim.found, f"[{colour}]{claim.verdict}[/{colour}]")
    return table


def run_to(
    name: str,
    circuit: "Circuit",
    out: Path,
    *,
    duration: float | None = None,
    seed: int = 1,
    page: bool = True,
    beside: tuple[str, ...] = ("theory",),
    spikes: float = 10.0,
) -> tuple[Path, bool]:
    """Study a circuit with a progress bar, beside it other levels if asked for; print the tables, write data and page.

    Returns the page's path (without one, the data's) and whether every part was found.
    """
    from rich.console import Console
    from rich.progress import Progress

    from equipoise import compare, report, theory
    from equipoise.results import save_dataset

    _must_be_writable(out)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Solving {name}", total=1.0)
        study = theory.study(
            circuit, duration=duration, seed=seed, progress=lambda fraction: bar.update(task, completed=fraction)
        )
        compared = None
        if len(beside) > 1:
            bar.update(task, description=f"Comparing {', '.join(beside)}", total=None)
            told = _simulated(bar, task, spikes)
            compared = compare.levels(circuit, levels=beside, seed=seed, duration=spikes, progress=told)
        bar.update(task, description="Drawing figures", total=None)
        saved = [save_dataset(study, out / f"{name}.nc")]
        if compared is not None:
            saved.append(save_dataset(compared, out / f"{name}_levels.nc"))
        page_path = out / f"{name}.html"
        written = report.write_circuit_html(study, page_path, levels=compared) if page else saved[0]
    console = Console()
    console.print(report.render_circuit(study))
    if compared is not None:
        console.print("\n", report.render_levels(compared))
    lines = ([f"Report: {written}"] if page else []) + [f"Data:   {', '.join(str(path) for path in saved)}"]
    console.print("\n" + "\n".join(lines), soft_wrap=True, highlight=False)
    return written, not theory.failed(study)


def run_rates_to(
    name: str, circuit: "Circuit", out: Path, *, duration: float | None = None, page: bool = True
) -> tuple[Path, bool]:
    """Study a circuit as rates; print the tables, write data and page. Returns as `run_to` does."""
    from rich.console import Console
    from rich.progress import Progress

    from equipoise import rate, report

    _must_be_writable(out)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Solving {name}", total=1.0)
        study = rate.study(circuit, duration=duration, progress=lambda fraction: bar.update(task, completed=fraction))
    return _written(study, name, out, report.write_rate_html if page else None, report.render_rates)


def run_spikes_to(
    name: str,
    circuit: "Circuit",
    out: Path,
    *,
    duration: float | None = None,
    seed: int = 1,
    page: bool = True,
    refusal: str = "",
    resume: bool = False,
) -> tuple[Path, bool]:
    """Study a circuit spike by spike; print the tables, write data and page. Returns as `run_to` does.

    What is done is kept in a checkpoint beside them until the run has come to its end, also of a run that is stopped.
    """
    from rich.console import Console
    from rich.progress import Progress

    from equipoise import report, spiking

    _must_be_writable(out)
    checkpoint = out / f"{name}.checkpoint"
    if not resume:
        _remove(spiking.checkpoints_of(checkpoint))
    if refusal:
        print(f"Simulated spike by spike, since theory cannot represent it: {refusal}", file=sys.stderr)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Simulating {name}", total=1.0)
        tell = _simulated(bar, task, spiking.simulated_time(circuit, duration))
        study = spiking.study(circuit, duration=duration, seed=seed, progress=tell, checkpoint=checkpoint)
    told = _written(
        study.assign_attrs(refusal=refusal), name, out, report.write_spiking_html if page else None,
        report.render_spiking,
    )  # fmt: skip
    if told[1]:
        _remove(spiking.checkpoints_of(checkpoint))
    return told


def level_of(circuit: "Circuit") -> tuple[str, str]:
    """How `run` studies a circuit, as theory, rates or spikes, and for spikes why not otherwise."""
    from equipoise import rate
    from equipoise.model.rate_neurons import RateNeuron
    from equipoise.rate.study import is_rate_circuit
    from equipoise.theory.network import wiring_of

    of_rates = is_rate_circuit(circuit)
    if any(isinstance(p.neuron, RateNeuron) for p in circuit.populations):
        return "rates", ""
    try:
        (rate.network if of_rates else wiring_of)(circuit)
    except TypeError as error:
        _, _, why = str(error).partition(": ")
        return "spikes", f"{why.partition('. ')[0].removesuffix('.')}."
    return "rates" if of_rates else "theory", ""


def _remove(files: tuple[Path, ...]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _written(
    study: "xr.Dataset",
    name: str,
    out: Path,
    write: "Callable[[xr.Dataset, Path], Path] | None",
    render: "Callable[[xr.Dataset], RenderableType]",
) -> tuple[Path, bool]:
    """Save a study, write its page where there is a `write`, print its tables; returns as `run_to` does."""
    from rich.console import Console

    from equipoise.model.studies import failed
    from equipoise.results import save_dataset

    saved = save_dataset(study, out / f"{name}.nc")
    written = write(study, out / f"{name}.html") if write else saved
    console = Console()
    console.print(render(study))
    lines = ([f"Report: {written}"] if write else []) + [f"Data:   {saved}"]
    console.print("\n" + "\n".join(lines), soft_wrap=True, highlight=False)
    return written, not failed(study)


def _simulated(bar: "Progress", task: "TaskID", seconds: float) -> Callable[[float], None]:
    """Tell simulated time, speed and time left beside the bar; the clock starts with the first spikes."""
    from equipoise.spiking.progress import Clock

    clock: list[Clock] = []

    def tell(fraction: float) -> None:
        if not clock:
            clock.append(Clock(seconds))
        bar.update(task, description=f"Simulating {clock[0].words(fraction)}", completed=fraction, total=1.0)

    return tell


def _levels(text: str) -> tuple[str, ...]:
    """Levels from a list by commas; theory is always among them."""
    from equipoise.compare import LEVELS

    asked = [part.strip() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in LEVELS:
            raise ValueError(f"--levels: unknown level {part!r}.{suggest(part, LEVELS)}")
    return tuple(level for level in LEVELS if level in asked or level == "theory")


def _circuit(name: str) -> "tuple[str, Circuit]":
    """A circuit and its name, from a file or from those that are shipped."""
    from equipoise.model.circuit import Circuit, examples_folder

    path = Path(name)
    shipped = {example.stem: example for example in examples_folder().glob("*.toml")}
    if path.is_dir():
        raise ValueError(f"CIRCUIT must be a .toml file or the name of a shipped circuit, got the directory {name!r}.")
    if not path.exists():
        if name not in shipped:
            raise ValueError(f"no file {name!r}, and no shipped circuit of that name.{suggest(name, shipped)}")
        path = shipped[name]
    return path.stem, Circuit.from_toml(path)


def analyze_to(
    recording: "Recording", settings: "AnalysisSettings", out: Path, topics: list[str] | None = None
) -> Path:
    """Analyse with a progress bar, print the tables, write page and data to a directory; returns the page's path."""
    from rich.console import Console
    from rich.progress import Progress

    from equipoise import report
    from equipoise.inference import analyze as run

    _must_be_writable(out)
    stem = Path(recording.source or "recording").stem
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Analysing", total=1.0)
        told = lambda fraction: bar.update(task, completed=fraction)  # noqa: E731
        analysis = run(recording, settings, topics=topics, progress=told)
        bar.update(task, description="Drawing figures", total=None)
        data = analysis.save(out / f"{stem}.nc")
        page = report.write_html(analysis, recording, settings, out / f"{stem}.html")
    console = Console()
    console.print(report.render_analysis(analysis))
    console.print(f"\nReport: {page}\nData:   {data}", soft_wrap=True, highlight=False)
    return page


def _load(name: str, time_unit: str, epochs: list[str] | None, **options: Any) -> "Recording":
    from equipoise import recordings

    parsed, unit = [_epoch(text) for text in epochs] if epochs else None, _tick(time_unit)
    shipped = "a2929" if name == "example" else name
    if shipped in recordings.EXAMPLES and not Path(name).exists():
        given = {key: value for key, value in options.items() if value is not None}
        return recordings.example(shipped, epochs=parsed, **given)
    return recordings.load(name, time_unit=unit, epochs=parsed, **options)


def _tick(text: str) -> str | float:
    """The seconds per tick of "5e-5" or "1/20000"; other texts are names of units."""
    try:
        over, _, under = text.partition("/")
        return float(over) / float(under or 1.0)
    except ZeroDivisionError:
        raise ValueError(f"--time-unit must be a name or the seconds per tick (> 0), got {text!r}.") from None
    except ValueError:
        return text


def _must_be_writable(out: Path) -> None:
    """Find out before the work, not after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ValueError(f"--out must be a directory that can be written to, got {str(out)!r} ({why}).") from None


def _epoch(text: str) -> "Epoch":
    from equipoise.results import Epoch

    try:
        name, start, stop = text.rsplit(":", 2)
        return Epoch(name, float(start), float(stop))
    except ValueError:
        raise ValueError(
            f"--epoch must read NAME:START:STOP with times in s such as sleep:0:600, got {text!r}."
        ) from None


@contextmanager
def errors(debug: bool) -> Iterator[None]:
    """Turn the package's errors into one line on stderr and exit code 2, unless `debug` asks for the traceback."""
    from equipoise.results import NumericalFailure

    try:
        yield
    except (ValueError, TypeError, OSError, MemoryError, NumericalFailure) as error:
        if debug:
            raise
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    print(f"equipoise: {message}", file=sys.stderr)
    raise typer.Exit(2)


def main() -> None:
    """Entry point of the command `equipoise`."""
    app()
