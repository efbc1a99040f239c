"""The command line. Thin: it reads arguments, opens the house, calls a stage, prints what a person wants to know, and sets the exit code.

Exit codes are those of `tieout.errors`: 0 done or ties, 1 differences or waiting items, 2 bad input, 3 does not foot, 4 an outside system failed,
5 credentials refused, 6 busy, 7 the gate is shut, 8 warehouse or disk, 70 a defect of tieout,
130 stopped with Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands import close as cli_close
from flows.commands import mappings as cli_mappings
from flows.commands import matching as cli_matching
from flows.commands import posting as cli_posting
from flows.commands import stock as cli_stock
from tieout import __version__
from tieout.errors import (
    EXIT_DEFECT,
    EXIT_DIFFERENCES,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TERMINATED,
    InputError,
    TieoutError,
)

app = typer.Typer(
    name="tieout",
    help="Gets an online shop's trade into Sage Intacct exactly once, and proves to the cent that both sides agree.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", envvar="TIEOUT_CONFIG")
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Take this instant for now, e.g. 2026-11-02T03:00:00Z.")
]


def _house(config: Path, as_of: str | None = None, *, quiet: bool = False) -> Any:
    from flows.commands.console import progress_bar, say
    from flows.wiring import open_house, utc_now

    house = open_house(config, clock=_clock(as_of) if as_of else utc_now)
    if not quiet:
        house.say, house.progress = say, progress_bar()
    return house


def open_quietly(config: Path, as_of: str | None = None, *, quiet: bool = True) -> Any:
    """The house of a configuration file, for the commands that live in files of their own."""
    return _house(config, as_of, quiet=quiet)


def _clock(as_of: str) -> Any:
    start, begun = _instant(as_of), datetime.now(UTC)
    return lambda: start + (datetime.now(UTC) - begun)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"'{text}' is not an instant; write it like 2026-11-02T03:00:00Z.") from None
    if found.tzinfo is None:
        raise InputError(f"'{text}' has no time zone; add Z for UTC or an offset.")
    return found.astimezone(UTC)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="An empty or new folder.")] = Path(),
) -> None:
    """Lay out a configuration, mappings and sample files in an empty folder."""
    from flows.starter import lay_out

    for line in lay_out(folder):
        typer.echo(line)


@app.command()
def doctor(config: Config = Path("tieout.toml"), as_of: AsOf = None) -> None:
    """Check configuration, secrets, connections, permissions and mappings coverage, and say what to fix."""
    from flows.doctor import examine

    findings = examine(_house(config, as_of, quiet=True))
    for one in findings:
        typer.echo(f"{'ok  ' if one.ok else 'FIX '} {one.what}: {one.sentence}")
    bad = [one for one in findings if not one.ok]
    typer.echo(f"\n{len(findings) - len(bad)} in order, {len(bad)} to fix.")
    raise typer.Exit(EXIT_DIFFERENCES if bad else EXIT_OK)


@app.command()
def run(
    stage: Annotated[
        str,
        typer.Argument(
            help="extract, stage, check, plan, post, confirm, stock, writeback, reconcile, report, nightly."
        ),
    ],
    config: Config = Path("tieout.toml"),
    source: Annotated[list[str] | None, typer.Option("--source", help="extract: only this source.")] = None,
    since: Annotated[
        str | None, typer.Option(help="extract: back-fill from this instant (included).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="extract: back-fill to this instant (excluded).")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="extract, stage, plan, reconcile: everything anew.")
    ] = False,
    period: Annotated[str | None, typer.Option(help="reconcile, report: a month, e.g. 2026-09.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="plan: print the plan and the XML, store nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="post, nightly: post beyond the month's API quota.")
    ] = False,
    as_of: AsOf = None,
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect: the bare functions.")] = False,
) -> None:
    """Run one stage, or the whole night, and print what it did."""
    from flows.commands.console import print_summary
    from flows.stages import run_named

    house = _house(config, as_of)
    options = {
        "sources": source or None,
        "window": _window(since, until),
        "full": full or None,
        "period": period,
        "dry_run": dry_run or None,
        "force": force or None,
    }
    summary = run_named(
        house,
        stage,
        {key: value for key, value in options.items() if value is not None},
        config=config,
        plain=plain,
    )
    raise typer.Exit(print_summary(stage, summary))


def _window(since: str | None, until: str | None) -> Any:
    if since is None and until is None:
        return None
    from tieout.connectors.paging import Window

    return Window(*(_instant(text) if text else None for text in (since, until)))


@app.command()
def reconcile(
    orders: Annotated[
        list[str], typer.Option("--orders", help="Order file(s): CSV, Parquet or Excel; globs allowed.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the report.")],
    invoices: Annotated[list[str] | None, typer.Option("--invoices", help="Invoice file(s).")] = None,
    lines: Annotated[list[str] | None, typer.Option("--lines", help="Order line file(s).")] = None,
    payments: Annotated[list[str] | None, typer.Option("--payments", help="Payment file(s).")] = None,
    refunds: Annotated[list[str] | None, typer.Option("--refunds", help="Refund file(s).")] = None,
    receipts: Annotated[list[str] | None, typer.Option("--receipts", help="Receipt file(s).")] = None,
    credit_memos: Annotated[
        list[str] | None, typer.Option("--credit-memos", help="Credit memo file(s).")
    ] = None,
    column_map: Annotated[
        Path | None, typer.Option("--map", help="Column map (TOML); not needed for the default layout.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="Only this month, e.g. 2026-09; default: everything as one period.")
    ] = None,
    tolerance: Annotated[
        list[str] | None, typer.Option("--tolerance", help="Accept this much per order, e.g. USD=0.01.")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Reconcile plain files: no server, no configuration. Exit code 0 ties, 1 differences, 2 bad input, 3 does not foot."""
    from flows.commands.console import progress_bar, say
    from flows.plain.files import reconcile_files

    given = {
        "orders": orders,
        "lines": lines,
        "payments": payments,
        "refunds": refunds,
        "invoices": invoices,
        "receipts": receipts,
        "credit_memos": credit_memos,
    }
    moment = _clock(as_of)() if as_of else None
    result = reconcile_files(
        {subject: paths for subject, paths in given.items() if paths},
        out=out,
        column_map=column_map,
        period=period,
        tolerance=tolerance or [],
        as_of=moment,
        say=say,
        progress=progress_bar(),
    )
    for line in result.text:
        typer.echo(line)
    raise typer.Exit(result.exit_code)


@app.command()
def trace(
    order: Annotated[str, typer.Argument(help="Order number, the storefront's id, or a document number.")],
    config: Config = Path("tieout.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the chain as a page to this file.")
    ] = None,
) -> None:
    """Walk one order from the shop through checks, documents and attempts to invoices, ledger entries, receipts and payout, and say where it stands."""
    from flows import tracing
    from flows.tracing_chain import as_text, chain

    house = _house(config, quiet=True)
    found = tracing.trace_order(house, order)
    if html is not None:
        tracing.render(house, found, html)
        typer.echo(f"The chain is in {html}.")
    elif as_json:
        import json

        typer.echo(json.dumps({**found, "chain": chain(found)}, indent=2, default=str, ensure_ascii=False))
    else:
        typer.echo(as_text(found))


@app.command()
def status(
    config: Config = Path("tieout.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="For monitors.")] = False,
    as_of: AsOf = None,
) -> None:
    """Queue depth and age, held orders, last good run per source. Exit code 1 if anything waits for a person."""
    from flows.status import as_text, look

    found = look(_house(config, as_of, quiet=True))
    if as_json:
        import json

        typer.echo(json.dumps(found, indent=2, default=str))
    else:
        typer.echo(as_text(found))
    raise typer.Exit(found["exit_code"])


cli_mappings.register(app)
cli_posting.register(app)
cli_stock.register(app)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def sandbox(context: typer.Context) -> None:
    """Start the stand-in storefront and Intacct gateway on loopback (see `tieout sandbox --help`)."""
    # A process of its own: the stand-ins share no code and no memory with us, only HTTP.
    os.execv(sys.executable, [sys.executable, "-m", "tieout.sandbox", *context.args])  # noqa: S606


@app.command()
def demo(
    orders: Annotated[int, typer.Option(help="Orders in the seeded world.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 7,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its state and reports.")] = Path(
        "demo-output"
    ),
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect.")] = False,
    storefronts: Annotated[
        str, typer.Option(help="Storefronts that share the world, for example commercetools,magento; or all.")
    ] = "commercetools",
) -> None:
    """A seeded shop's night twice and a month's close, against stand-ins over HTTP; fails if a planted fault is missed."""
    from flows.demos.start import run_demo

    names = [name.strip() for name in storefronts.split(",") if name.strip()]
    raise typer.Exit(run_demo(orders=orders, seed=seed, folder=folder, plain=plain, storefronts=names))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"tieout {__version__}")


cli_matching.register(app)
cli_close.register(app)


def _without_secrets(text: str) -> str:
    """A traceback fit to be sent to somebody: an exception of a library may quote the request it choked on."""
    from tieout.connectors.redaction import redact

    given = [value for name, value in os.environ.items() if name.startswith("TIEOUT_") and value]
    return redact(text, given)


def _asked_to_end(number: int, _frame: object) -> None:
    """Ctrl-C or SIGTERM: end as `sys.exit` does, so that what the run started ends with it. (Click would turn an interrupt into its own word.)"""
    typer.echo("tieout: stopped; run the same command again, it goes on where it was.", err=True)
    _ended.append(EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED)
    sys.exit(_ended[0])


_ended: list[int] = []
"""The exit code, once a run was asked to end. DuckDB asks for signals in the middle of a query and makes an error of its own of the end."""


def main() -> None:
    """Entry point: one sentence for a user's mistake, never a traceback; a defect is written to a file and named."""
    # Nothing phones home, whatever the environment says; set before any library is imported.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _asked_to_end)
    try:
        app()
    except TieoutError as fault:
        if _ended:
            sys.exit(_ended[0])
        typer.echo(f"tieout: {fault}", err=True)
        sys.exit(fault.exit_code)
    except BrokenPipeError:
        sys.exit(EXIT_OK)
    except Exception as fault:
        if _ended:
            sys.exit(_ended[0])
        report = Path(f"tieout-defect-{datetime.now(UTC):%Y%m%dT%H%M%S}.txt")
        try:
            report.write_text(_without_secrets(traceback.format_exc()), encoding="utf-8")
            where = f"the details are in {report}"
        except OSError:
            where = "its details could not be written"
        typer.echo(
            f"tieout: a defect of tieout itself ({type(fault).__name__}); nothing was left half-done, {where}, please report it.",
            err=True,
        )
        sys.exit(EXIT_DEFECT)


if __name__ == "__main__":
    main()
