"""The `cellsteward` command line.

Every mistake of the person is one sentence on standard error and exit code 2; a firmware that died
is exit code 1; a run that ended as asked is 0.
"""

import asyncio
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cellsteward import __version__
from cellsteward.options import (
    OptionError,
    RunOptions,
    afe_assignments,
    check_ports_file,
    pack_words,
    parse_duration,
    parse_load_scale,
    parse_settings,
    parse_speed,
    plan_load,
    plan_settings,
    speed_words,
)
from cellsteward.sim import Simulation
from cellsteward.status import END_ADVICE

EXIT_FAILED = 1
EXIT_USAGE = 2

_PERCENT = 100
_DIGITS = 20  # more than any number of the device has

app = typer.Typer(
    help="Watch, try and connect to a battery guarded by Cellsteward's firmware.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

log_app = typer.Typer(help="The event log of a device.", no_args_is_help=True)
app.add_typer(log_app, name="log")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cellsteward {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def sim(
    load: Annotated[
        Path | None,
        typer.Option(
            help="Recorded load: CSV with t_s and I_A (A, charging > 0); without: a home."
        ),
    ] = None,
    load_scale: Annotated[
        str, typer.Option(help="Factor on the recorded current; auto: to what the pack allows.")
    ] = "auto",
    speed: Annotated[str, typer.Option(help="Simulated seconds per second, or max.")] = "1",
    duration: Annotated[
        str | None, typer.Option(help="End after this simulated time: 90s, 10m, 2h, 1d.")
    ] = None,
    ui: Annotated[
        bool | None, typer.Option("--ui/--no-ui", help="Live view, or plain lines.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="Inject this fault at the start; repeat for more.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter; repeat for more."),
    ] = None,
    afe: Annotated[
        str | None,
        typer.Option(help="Measuring chip: bq76952, bq76952_stack, bq76940, bq76930, bq76920."),
    ] = None,
    unconfigured: Annotated[
        bool, typer.Option("--unconfigured", help="A board that nobody has set up yet.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Chance of the run: spread of cells, noise.")] = 1,
    spread: Annotated[
        float, typer.Option(min=0, max=20, help="Charges of a new pack's cells, +- percent.")
    ] = 1.0,
    leak_ma: Annotated[
        float,
        typer.Option(min=0, max=1000, help="Mean self-discharge of its cells; 0 to twice it."),
    ] = 0.0,
    soc: Annotated[
        float, typer.Option(min=1, max=99, help="State of charge of a new pack, percent.")
    ] = 50.0,
    ports_file: Annotated[
        Path | None, typer.Option(help="Write the names of the ports here, as JSON.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep flash and battery here between runs.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="With --state-dir: forget what is kept there.")
    ] = False,
    screenshot: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the firmware on a simulated battery and watch it."""
    try:
        assignments = afe_assignments(afe) + (settings or [])
        parameters, values = plan_settings(assignments, unconfigured, state_dir, fresh)
        factor, load_words = plan_load(load, parse_load_scale(load_scale), parameters)
        pace = parse_speed(speed)
        options = RunOptions(
            parameters=parameters,
            settings=values,
            headline=(
                f"{pack_words(parameters, values is not None)}; {load_words}; "
                f"speed {speed_words(pace)}"
            ),
            load=load,
            load_scale=factor,
            speed=pace,
            duration_s=None if duration is None else parse_duration(duration),
            seed=seed,
            spread={"soc_spread": spread / 100, "leak_ma": leak_ma},
            soc=soc / 100,
            faults=fault or [],
            state_dir=state_dir,
            fresh=fresh,
            ports_file=ports_file,
        )
        if ports_file is not None:
            check_ports_file(ports_file)
        if screenshot is not None and options.duration_s is None and options.load is None:
            raise OptionError(
                "--screenshot needs --duration or --load: the picture shows the end."
            )
        if ui is None:
            ui = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        code = asyncio.run(_run(options, ui or screenshot is not None, screenshot))
    except OptionError as problem:
        _stop(str(problem))
    raise typer.Exit(code)


@app.command()
def frames(
    state: Annotated[
        str, typer.Option(help="JSON file, or - for standard input; keys are names of points.")
    ],
    profile: Annotated[str, typer.Option(help="Inverter profile.")] = "pylontech",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter; repeat for more."),
    ] = None,
    not_measured: Annotated[
        bool, typer.Option("--not-measured", help="Measurements are missing or old.")
    ] = False,
) -> None:
    """Print the CAN frames that the device would send for a given state, as candump shows them."""
    from cellsteward.frames import frames_for_state

    try:
        content = sys.stdin.buffer.read() if state == "-" else Path(state).read_bytes()
        values = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_unique, parse_int=_whole_number
        )
        parameters, _ = parse_settings(settings or [])
        lines = frames_for_state(profile, values, parameters, not not_measured)
    except OSError as error:
        _stop(f"--state: can not read {state}: {error.strerror}.")
    except UnicodeDecodeError:
        _stop(f"--state: can not read {state}: it is not text.")
    except json.JSONDecodeError as error:
        _stop(f"--state: {state} is not JSON: {error}.")
    except RecursionError:
        _stop(f"--state: {state} is nested too deeply; a state is names and values.")
    except (OptionError, ValueError) as error:
        _stop(str(error))
    for line in lines:
        typer.echo(line)


@app.command()
def decode(
    log: Annotated[
        Path, typer.Argument(help="Recording of candump, SLCAN, or .asc, .blf, .trc, .csv.")
    ],
    profile: Annotated[str, typer.Option(help="Inverter profile to read it by.")] = "pylontech",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Read a recording of the CAN bus: values, alarms, and what a strict inverter would reject."""
    from cellsteward import decode as decoding
    from cellsteward.can_logs import read_log

    try:
        decoded = decoding.decode(read_log(log), profile)
    except OSError as error:
        _stop(f"can not read {log}: {error.strerror}.")
    except ValueError as error:
        _stop(str(error))
    if as_json:
        typer.echo(json.dumps(decoding.as_json(decoded), indent=2))
        return
    for line in decoding.report(decoded):
        typer.echo(line)


@app.command()
def doctor(
    console: Annotated[
        str | None, typer.Option(help="Serial port of the console, such as /dev/ttyACM0.")
    ] = None,
    modbus: Annotated[
        str | None, typer.Option(help="Serial port of RS485, or HOST:PORT for Modbus TCP.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Speed of the RS485 port.")] = 9600,
    address: Annotated[int, typer.Option(help="Modbus address.")] = 1,
) -> None:
    """Ask a device how it and its links are, and say what to check next."""
    from cellsteward import doctor as doctoring

    if (console is None) == (modbus is None):
        _stop("say where the device is: --console PORT, or --modbus PORT or HOST:PORT.")
    try:
        if console is not None:
            values = doctoring.over_console(console)
        else:
            assert modbus is not None
            host, separator, port = modbus.rpartition(":")
            if separator and port.isdigit():
                exchange = doctoring.tcp(host, int(port))
            else:
                exchange = doctoring.rtu(modbus, baud, address)
            values = doctoring.over_modbus(exchange)
    except doctoring.DoctorError as problem:
        typer.echo(f"cellsteward: {problem}.", err=True)
        raise typer.Exit(EXIT_FAILED) from problem
    for line in doctoring.report(values):
        typer.echo(line)


@app.command()
def flash(
    board: Annotated[str, typer.Option(help="Kind of board: a folder of boards/.")] = "pico",
    port: Annotated[
        str, typer.Option(help="Serial port, such as /dev/ttyACM0 or COM3; auto finds it.")
    ] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")
    ] = False,
) -> None:
    """Put the firmware on a board."""
    from cellsteward import flash as flashing
    from cellsteward.device import Device, FlashError, ports

    try:
        target = flashing.target_named(board)
    except FlashError as problem:
        _stop(f"--board: {problem}")
    try:
        if dry_run:
            for line in flashing.dry_run(target):
                typer.echo(line)
            return
        device = Device(flashing.choose_port(port, target, ports()))
        flashing.flash(target, device, lambda: typer.prompt("Access code", hide_input=True))
    except FlashError as problem:
        typer.echo(f"cellsteward: {problem}", err=True)
        raise typer.Exit(EXIT_FAILED) from problem


@app.command()
def fit(
    ocv: Annotated[
        Path,
        typer.Option(help="Slow test of both branches: soc,V_dis,V_chg or a log of a slow cycle."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Cell file (JSON) to write.")],
    log: Annotated[
        list[Path] | None,
        typer.Option(help="Pulses or a drive, t_s,I_A,V_V,T_C[,soc_ref]; repeat per temperature."),
    ] = None,
    check: Annotated[
        list[Path] | None, typer.Option(help="Another log, to check the fit with; repeatable.")
    ] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for pictures of the fit.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the cell.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Who measured what; kept in the file.")
    ] = None,
    chemistry: Annotated[
        str | None, typer.Option(help="lfp, nmc, nca, lto or sodium; else told by the voltage.")
    ] = None,
    capacity_mah: Annotated[
        float | None, typer.Option(help="Capacity of the cell; else what the files show.")
    ] = None,
    start_soc: Annotated[
        float | None,
        typer.Option(help="Percent at the start of logs without soc_ref; else found by voltage."),
    ] = None,
) -> None:
    """Characterize a cell: from a slow test and logs of use to a cell file for the device."""
    from cellsteward.logs import LogError

    try:
        from cellsteward import fit_command
    except ModuleNotFoundError as error:
        _stop(_lab_missing(error))
    if capacity_mah is not None and not capacity_mah > 0:
        _stop("--capacity-mah must be above 0.")
    if start_soc is not None and not 0 <= start_soc <= _PERCENT:
        _stop("--start-soc is in percent, from 0 to 100.")
    try:
        fit_command.run(
            ocv=ocv,
            logs=log or [],
            checks=check or [],
            out=out,
            plots=plots,
            name=name,
            source=source,
            chemistry=chemistry,
            capacity_mah=capacity_mah,
            start_soc=None if start_soc is None else start_soc / _PERCENT,
            say=typer.echo,
        )
    except LogError as problem:
        _stop(str(problem))


@app.command()
def cell(
    name: Annotated[str, typer.Argument(help="Built-in cell: lfp, nmc, nca, lto or sodium.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Cell file (JSON) to write.")],
) -> None:
    """Write a built-in cell model as a cell file, such as NCA's for the board."""
    from cellsteward import soc_command
    from cellsteward.cell_file import cell_text
    from cellsteward.logs import LogError

    try:
        out.write_text(cell_text(soc_command.load_cell(None, name)), encoding="utf-8")
    except LogError as problem:
        _stop(str(problem))
    except OSError as error:
        _stop(f"can not write {out}: {error.strerror}.")


@app.command()
def soc(
    input_csv: Annotated[
        Path, typer.Argument(metavar="INPUT.csv", help="Log: t_s,I_A,V_V,T_C[,soc_ref].")
    ],
    capacity_mah: Annotated[float, typer.Option(help="Capacity of the cell.")],
    initial_soc: Annotated[float, typer.Option(help="What the estimator is told, in percent.")],
    cell: Annotated[Path | None, typer.Option(help="Cell file of `cellsteward fit`.")] = None,
    chemistry: Annotated[
        str | None, typer.Option(help="Built-in cell: lfp, nmc, nca, lto or sodium.")
    ] = None,
    initial_sigma: Annotated[
        float | None, typer.Option(help="How sure that is: one sigma in percent.")
    ] = None,
    gain: Annotated[float, typer.Option(help="Error put on the current, in percent.")] = 0.0,
    offset_ma: Annotated[float, typer.Option(help="Error put on the current, in mA.")] = 0.0,
    noise_mv: Annotated[float, typer.Option(help="Noise put on the voltage: sigma, in mV.")] = 0.0,
    cells: Annotated[int, typer.Option(help="Cells in series behind V_V.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="CSV to write: t_s,soc,sigma,reported, from 0 to 1."),
    ] = None,
    on: Annotated[str, typer.Option(help="cpython or micropython: the same numbers.")] = "cpython",
    plot: Annotated[Path | None, typer.Option(help="Picture to write.")] = None,
) -> None:
    """Replay a log through the device's state-of-charge estimator."""
    from cellsteward import soc_command
    from cellsteward.logs import LogError
    from cellsteward.soc_log import Sensors

    if noise_mv < 0:
        _stop("--noise-mv is a standard deviation: 0 or more.")
    if not all(map(math.isfinite, (capacity_mah, gain, offset_ma, noise_mv))):
        _stop("--capacity-mah, --gain, --offset-ma and --noise-mv must be finite numbers.")
    try:
        soc_command.run(
            start=soc_command.Start(
                soc_command.load_cell(cell, chemistry),
                round(capacity_mah),
                initial_soc,
                initial_sigma,
            ),
            log_path=input_csv,
            out=out,
            sensors=Sensors(gain, offset_ma, noise_mv),
            cells=cells,
            place=on,
            plot=plot,
            say=typer.echo,
            progress=_progress if sys.stderr.isatty() else None,
        )
    except ModuleNotFoundError as error:
        _stop(_lab_missing(error))
    except LogError as problem:
        _stop(str(problem))


@app.command()
def traceback(
    file: Annotated[
        Path | None, typer.Argument(help="What the board printed; else standard input.")
    ] = None,
    board: Annotated[str, typer.Option(help="Kind of board.")] = "pico",
) -> None:
    """Say where in the source a traceback from a board comes from."""
    from cellsteward.flash import FlashError, target_named
    from cellsteward.traceback import decode

    try:
        text = sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
        typer.echo(decode(text, target_named(board).name), nl=False)
    except OSError as error:
        _stop(f"can not read {file}: {error.strerror}.")
    except FlashError as error:
        _stop(str(error))


@log_app.command("export")
def log_export(
    source: Annotated[
        str, typer.Argument(help="Port of the console, or a file with its `log --json`.")
    ],
    form: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; else standard output.")
    ] = None,
) -> None:
    """Write a device's event log as a table, the oldest event first."""
    from cellsteward import log_export as exporting
    from cellsteward.console_client import ConsoleError

    if form not in exporting.FORMATS:
        _stop(f"--format is one of {', '.join(exporting.FORMATS)}, not {form}.")
    try:
        text = exporting.written(exporting.read(source), form)
    except ConsoleError as problem:
        typer.echo(f"cellsteward: {problem}.", err=True)
        raise typer.Exit(EXIT_FAILED) from problem
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        _stop(f"can not write {out}: {error.strerror}.")


def main() -> None:
    """Entry point of the `cellsteward` command."""
    app()


async def _run(options: RunOptions, ui: bool, screenshot: Path | None) -> int:
    """Run with one of the two views and return the exit code."""
    # Both views know the same calls, so that only this function chooses between them.
    if ui:
        from cellsteward.view import LiveView

        view = LiveView(options, screenshot)
    else:
        from cellsteward.plain import PlainView

        view = PlainView(options.headline)
    simulation = Simulation(options, view)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, simulation.quit)
    end = await view.show(simulation)
    typer.echo(view.totals.summary(end))
    if end.reason in END_ADVICE:
        typer.echo(END_ADVICE[end.reason])
    if end.good:
        return 0
    typer.echo(f"cellsteward: the run failed: {end.text}.", err=True)
    return EXIT_FAILED


def _progress(line: str) -> None:
    typer.echo(f"\r{line}  ", nl=False, err=True)


def _lab_missing(error: ModuleNotFoundError) -> str:
    return (
        f"{error.name} is missing; install what the lab commands need with "
        "'.venv/bin/pip install -e .[lab]'."
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, which must not say the same name twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"--state: '{twice}' is there twice.")
    return values


def _whole_number(digits: str) -> int:
    """A number of JSON; Python itself refuses those with thousands of digits, less kindly."""
    if len(digits) > _DIGITS:
        raise ValueError(f"--state: {digits[:_DIGITS]}... is beyond what the device can hold.")
    return int(digits)


def _stop(sentence: str) -> NoReturn:
    typer.echo(f"cellsteward: {sentence}", err=True)
    raise typer.Exit(EXIT_USAGE)
