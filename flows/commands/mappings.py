"""`tieout mappings` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tieout.errors import EXIT_OK, InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mappings")(mappings)


def mappings(
    action: Annotated[str, typer.Argument(help="show, accept, ignore or history.")] = "show",
    mapping: Annotated[
        str, typer.Argument(help="accept, ignore: stores, items, taxes, tenders or warehouses.")
    ] = "",
    code: Annotated[
        list[str] | None, typer.Argument(help="accept, ignore: the code, storefront first, e.g. shop NEW-1.")
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration file.", envvar="TIEOUT_CONFIG")
    ] = Path("tieout.toml"),
    like: Annotated[str, typer.Option(help="accept: it means the same as this known code.")] = "",
    given: Annotated[
        list[str] | None, typer.Option("--set", help="accept: a column of the row, e.g. item_ref=MUG-1.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept beside the row.")] = "",
    author: Annotated[str, typer.Option(help="Your name; kept beside the row.", envvar="TIEOUT_AUTHOR")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="show: for machines.")] = False,
) -> None:
    """Which codes are known, fixable, ignored or missing, ranked by the money waiting, and the rows to add; or add one with a reason."""
    from flows.mappings import coverage
    from flows.wiring import open_house

    house = open_house(config)
    if action == "show":
        found = coverage.look(house)
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else coverage.as_text(found))
        raise typer.Exit(found["exit_code"])
    if action == "history":
        told = coverage.history(house)
    elif action == "accept":
        told = coverage.accept(
            house, mapping, code or [], like=like, given=_columns(given or []), author=author, reason=reason
        )
    elif action == "ignore":
        told = coverage.ignore(house, mapping, code or [], author=author, reason=reason)
    else:
        raise InputError(f"There is no action '{action}'; choose one of show, accept, ignore, history.")
    for line in told:
        typer.echo(line)
    raise typer.Exit(EXIT_OK)


def _columns(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise InputError(f"'{one}' is no COLUMN=VALUE; write it like item_ref=MUG-1.")
        found[name.strip()] = value.strip()
    return found
