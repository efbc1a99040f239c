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
    from flows.commands.console import print_summary

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


def sentinel(
    entity: Annotated[str | None, typer.Option(help="One entity; default all.")] = None,
    config: Config = _HERE,
    as_of: AsOf = None,
) -> None:
    """Read the records of locked periods again: name what moved with before and after, suspend the sign-off, draft the correction."""
    from flows.closing.sentinel import sentinel as watch
    from flows.running import run_stage

    _print(run_stage(_house(config, as_of), "sentinel", watch, entity=entity), "sentinel")


def items(
    action: Annotated[str, typer.Argument(help="list, show or note.")] = "list",
    item: Annotated[str | None, typer.Argument(help="The item's id, or its beginning.")] = None,
    entity: Annotated[str | None, typer.Option(help="list: only this entity.")] = None,
    kind: Annotated[str | None, typer.Option(help="list: order, payment or document.")] = None,
    owner: Annotated[
        str | None, typer.Option(help="list: only this owner's; note: who has to do with it from now on.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="note: what is known of it.")] = None,
    next_step: Annotated[str | None, typer.Option(help="note: what happens next.")] = None,
    author: Author = "",
    limit: Annotated[int, typer.Option(help="list: how many are printed.")] = 40,
    config: Config = _HERE,
) -> None:
    """The register of open items: list it, show one item's months and notes, or note its owner, what is known and what happens next."""
    from flows.closing import registering
    from tieout.errors import InputError

    house = _house(config)
    if action == "list":
        lines = registering.listed(
            registering.open_register(house, entity=entity, owner=owner, kind=kind), limit
        )
    elif action == "show" and item:
        lines = registering.history(house, item)
    elif action == "note" and item:
        lines = registering.remark(house, item, author=author, owner=owner, note=note, next_step=next_step)
    else:
        raise InputError(
            "Say `tieout items list`, or `tieout items show ITEM`, or `tieout items note ITEM --owner … --note … --next-step …`."
        )
    for line in lines:
        typer.echo(line)


def cutoff(
    period: Period,
    entity: Annotated[str | None, typer.Option(help="One entity; default all.")] = None,
    limit: Annotated[int, typer.Option(help="How many straddling orders are printed.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For machines; every order.")] = False,
    config: Config = _HERE,
) -> None:
    """One period by placed, captured, shipped and invoiced date: what each would recognise, and which orders straddle the edge. Changes nothing."""
    from flows.closing.simulating import cutoff as simulate

    _shown(simulate(_house(config), period=period, entity=entity, limit=limit), as_json)


def rehearse(
    period: Period,
    entity: Annotated[str | None, typer.Option(help="One entity; default all.")] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(help="An absolute tolerance instead of the configured one, e.g. USD=0.05."),
    ] = None,
    percent: Annotated[
        str | None, typer.Option(help="A percentage instead of the configured one, e.g. 0.1.")
    ] = None,
    mappings: Annotated[
        Path | None, typer.Option(help="A folder of mappings instead of the configured one.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many changed rows are printed.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For machines; every row.")] = False,
    config: Config = _HERE,
) -> None:
    """Reconcile a period under changed tolerances or mappings and show which matches change and the money moved. Changes nothing."""
    from flows.closing.rehearsing import rehearse as rehearsed

    found = rehearsed(
        _house(config),
        period=period,
        entity=entity,
        tolerance=tolerance,
        percent=percent,
        mappings=mappings,
        limit=limit,
    )
    _shown(found, as_json)


def diff(
    first: Annotated[str, typer.Argument(help="A close, e.g. E100/2026-09/r1.")],
    second: Annotated[
        str, typer.Argument(help="Another, or `now`: today's data under today's rules.")
    ] = "now",
    limit: Annotated[int, typer.Option(help="How many changed rows are printed.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For machines; every row.")] = False,
    config: Config = _HERE,
) -> None:
    """What became matched, unmatched or got another reason between two closes, for how much, and which record caused it. Exit code 1 if anything did."""
    from flows.closing.rehearsing import diff as compared

    _shown(compared(_house(config), first, second, limit=limit), as_json)


def _shown(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(
            json.dumps(
                {key: value for key, value in found.items() if key != "text"},
                indent=2,
                default=str,
                ensure_ascii=False,
            )
        )
        raise typer.Exit(int(found["exit_code"]))
    _print(found, "close")


COMMANDS = (close, sign, reopen, verify, sentinel, items, cutoff, rehearse, diff)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in COMMANDS:
        app.command()(command)
