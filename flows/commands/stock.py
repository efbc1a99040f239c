"""`tieout stock` on the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tieout.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stock")(stock)


def stock(
    action: Annotated[str, typer.Argument(help="backtest.")],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration file.", envvar="TIEOUT_CONFIG")
    ] = Path("tieout.toml"),
    since: Annotated[
        str | None, typer.Option(help="Replay from this day or instant; default 90 days before the end.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Replay to this day or instant, excluded; default now.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for tables and page; default stock-backtest in the reports folder."),
    ] = None,
    oversell_weight: Annotated[
        int, typer.Option(min=0, max=1000, help="How many lost sales one unit oversold is worth.")
    ] = 5,
) -> None:
    """How other safety buffers and sync intervals would have done, from past sales and stock, with the best buffer for each class."""
    from flows.backtest import replay
    from flows.wiring import open_house

    if action != "backtest":
        raise InputError(f"There is no action '{action}'; `tieout stock` knows backtest.")
    for line in replay(
        open_house(config),
        since=_instant(since),
        until=_instant(until),
        out=out,
        oversell_weight=oversell_weight,
    ):
        typer.echo(line)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"'{text}' is no day or instant; write it like 2026-09-01 or 2026-09-01T06:00:00Z."
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
