"""Commands of the close: close, sign, reopen, sentinel, items, cutoff, rehearse, diff, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", envvar="TIEOUT_CONFIG")
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Take this instant for now, e.g. 2026-11-02T03:00:00Z.")
]
Entity = Annotated[str, typer.Option(help="The entity, e.g. E100.")]
Period = Annotated[str, typer.Option(help="The period by the entity's calendar, e.g. 2026-09 or 2026-P09.")]
Author = Annotated[str, typer.Option(help="Your name; it stays beside what you did.", envvar="TIEOUT_AUTHOR")]
_HERE = Path("tieout.toml")


def _house(config: Path, as_of: str | None = None, *, quiet: bool = True) -> Any:
    from flows.cli import open_quietly

    return open_quietly(config, as_of, quiet=quiet)


def _print(summary: dict[str, Any], stage: str) -> None:
    from flows.console import print_summary

    raise typer.Exit(print_summary(stage, summary))


def close(
    period: Annotated[
        str | None, typer.Option(help="The period, e.g. 2026-09; default: the newest that is over.")
    ] = None,
    config: Config = _HERE,
    entity: Annotated[str | None, typer.Option(help="One entity; default all.")] = None,
    as_of: AsOf = None,
) -> None:
    """Reconcile a period per entity, carry open items forward, and seal workbook, page and rows into a pack; what does not foot is not closed."""
    from flows.close import close_period

    _print(close_period(_house(config, as_of, quiet=False), period=period, entity=entity), "close")


def sign(
    entity: Entity,
    period: Period,
    role: Annotated[
        str, typer.Option(help="preparer or reviewer; the reviewer is another person and locks the period.")
    ],
    author: Author = "",
    note: Annotated[str, typer.Option(help="What you want to say with it.")] = "",
    config: Config = _HERE,
    as_of: AsOf = None,
) -> None:
    """Sign a close as preparer, then as a different reviewer, which locks it. A signature is bound to the content's hash."""
    from flows.closing.signing import sign_close

    _print(
        sign_close(_house(config, as_of), entity=entity, period=period, role=role, author=author, note=note),
        "sign",
    )


def reopen(
    entity: Entity,
    period: Period,
    reason: Annotated[str, typer.Option(help="Why; it stays beside the close for good.")] = "",
    author: Author = "",
    config: Config = _HERE,
    as_of: AsOf = None,
) -> None:
    """Open a closed or locked period again, with a reason; its signatures are void."""
    from flows.closing.signing import reopen_close

    _print(
        reopen_close(_house(config, as_of), entity=entity, period=period, reason=reason, author=author),
        "reopen",
    )


def verify(
    pack: Annotated[Path, typer.Argument(help="The folder of a close, or its zip.")],
    previous: Annotated[
        Path | None, typer.Option(help="The pack of the close before, to prove the chain to it.")
    ] = None,
) -> None:
    """Prove a pack from itself alone, offline: bytes, hashes, chain, totals, and the whole reconciliation from the packed inputs."""
    from flows.closing.verifying import verify as prove

    _print(prove(pack, previous=previous), "verify")


COMMANDS = (close, sign, reopen, verify)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in COMMANDS:
        app.command()(command)
