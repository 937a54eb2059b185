"""Circuits from the command line: which level treats them, their study, and the prediction of a manipulation."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.options import must_be_writable
from equipoise.quantities import suggest

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

    from equipoise.inference import Prediction
    from equipoise.model.circuit import Circuit


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

    must_be_writable(out)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Solving {name}", total=1.0)
        study = theory.study(
            circuit, duration=duration, seed=seed, progress=lambda fraction: bar.update(task, completed=fraction)
        )
        compared = None
        if len(beside) > 1:
            bar.update(task, description=f"Comparing {', '.join(beside)}", total=None)
            told = simulated(bar, task, spikes)
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

    must_be_writable(out)
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

    must_be_writable(out)
    checkpoint = out / f"{name}.checkpoint"
    if not resume:
        _remove(spiking.checkpoints_of(checkpoint))
    if refusal:
        print(f"Simulated spike by spike, since theory cannot represent it: {refusal}", file=sys.stderr)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Simulating {name}", total=1.0)
        tell = simulated(bar, task, spiking.simulated_time(circuit, duration))
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


def simulated(bar: "Progress", task: "TaskID", seconds: float) -> Callable[[float], None]:
    """Tell simulated time, speed and time left beside the bar; the clock starts with the first spikes."""
    from equipoise.spiking.progress import Clock

    clock: list[Clock] = []

    def tell(fraction: float) -> None:
        if not clock:
            clock.append(Clock(seconds))
        bar.update(task, description=f"Simulating {clock[0].words(fraction)}", completed=fraction, total=1.0)

    return tell


def levels_of(text: str) -> tuple[str, ...]:
    """Levels from a list by commas; theory is always among them."""
    from equipoise.compare import LEVELS

    asked = [part.strip() for part in text.split(",") if part.strip()]
    for part in asked:
        if part not in LEVELS:
            raise ValueError(f"--levels: unknown level {part!r}.{suggest(part, LEVELS)}")
    return tuple(level for level in LEVELS if level in asked or level == "theory")


def circuit_named(name: str) -> "tuple[str, Circuit]":
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


def strengths_of(texts: list[str]) -> list[Any]:
    """Manipulations that act at once, from "optical" or "optical=0.3,1"."""
    out: list[Any] = []
    for text in texts:
        name, given, values = text.partition("=")
        try:
            out.append({name.strip(): [float(v) for v in values.split(",")]} if given else name.strip())
        except ValueError:
            raise ValueError(f"--manipulation must read NAME or NAME=0.3,1 with numbers, got {text!r}.") from None
    return out


def paths_of(name: str, out: Path, *, resume: bool) -> Path:
    """Where the paths of rules are kept until all are followed; empty unless they are to go on."""
    store = out / f"{name}_prediction.paths"
    if not resume:
        _clear(store)
    return store


def _clear(store: Path) -> None:
    _remove(tuple(store.glob("*.npz*")))
    if store.exists():
        store.rmdir()


def predicted_to(found: "Prediction", name: str, out: Path) -> bool:
    """Print a prediction, write its data and page; returns whether any rule has values and none was stopped."""
    from rich.console import Console

    from equipoise import report
    from equipoise.results import Status

    saved = found.save(out / f"{name}_prediction.nc")
    written = report.write_predict_html(found, out / f"{name}_prediction.html")
    console = Console()
    console.print(report.render_prediction(found), soft_wrap=True)
    console.print(f"\nReport: {written}\nData:   {saved}", soft_wrap=True, highlight=False)
    stopped = bool((found.data["status"] == Status.INTERRUPTED.name).any())
    if not stopped:
        _clear(out / f"{name}_prediction.paths")
    return bool(found.data["value"].notnull().any()) and not stopped
