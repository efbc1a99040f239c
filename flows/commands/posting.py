"""Commands around posting: the outbox, alerts, maintenance windows."""

from __future__ import annotations

import json
import random
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tieout.errors import InputError

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", envvar="TIEOUT_CONFIG")
]
Author = Annotated[str, typer.Option(help="Your name; kept beside what you decide.", envvar="TIEOUT_AUTHOR")]
Reason = Annotated[str, typer.Option(help="Why; kept beside what you decide.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Take this instant for now, e.g. 2026-11-02T03:00:00Z.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(outbox)
    app.command()(alerts)
    app.command()(maintenance)


def outbox(
    action: Annotated[
        str,
        typer.Argument(
            help="list, closed, show, explain, hold, release, cancel, replay, edit or first-open."
        ),
    ] = "list",
    documents: Annotated[list[str] | None, typer.Argument(help="Document ids or numbers.")] = None,
    config: Config = Path("tieout.toml"),
    reason: Reason = "",
    author: Author = "",
    state: Annotated[str | None, typer.Option(help="list: only this state.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="edit: field=value; several are allowed.")
    ] = None,
    line: Annotated[int | None, typer.Option(help="edit: a field of this line.")] = None,
    on: Annotated[
        str | None, typer.Option(help="first-open: this day instead of the first open one, e.g. 2026-11-02.")
    ] = None,
    as_json: AsJson = False,
    as_of: AsOf = None,
) -> None:
    """List what waits to be posted and explain why; hold, release, cancel, replay or edit documents with a name and a reason.

    `closed` lists what waits because its period is closed; `first-open` posts such documents on the first open day.
    """
    from flows.posting import waiting

    house = _house(config, as_of)
    order = waiting.Order(
        action=action,
        documents=documents or [],
        reason=reason,
        author=author,
        state=state,
        changes=changes or [],
        line=line,
        on=_day(on) if on else None,
    )
    if as_json and action in ("list", "closed", "show", "explain"):
        _print_json(waiting.found(house, order))
        return
    for text in waiting.act(house, order):
        typer.echo(text)


def alerts(
    action: Annotated[str, typer.Argument(help="list or clear.")] = "list",
    ids: Annotated[list[str] | None, typer.Argument(help="clear: alerts by their ids.")] = None,
    config: Config = Path("tieout.toml"),
    reason: Reason = "",
    author: Author = "",
    as_json: AsJson = False,
    as_of: AsOf = None,
) -> None:
    """List what a person must look at now, or clear it with a name and a reason. Exit code 1 while any alert stands."""
    from tieout.warehouse import alerts as kept

    house = _house(config, as_of)
    if action == "clear":
        if not ids:
            raise InputError("Say which: tieout alerts clear ALERT …; `tieout alerts list` names them.")
        with house.warehouse.write(run_id="alerts") as session:
            count = kept.clear(session, ids, reason=reason, actor=author, now=house.clock())
        typer.echo(f"{count} alert(s) cleared by {author}: {reason}")
        return
    if action != "list":
        raise InputError(f"There is no action '{action}'; choose list or clear.")
    with house.warehouse.read() as session:
        stands = kept.standing(session).to_dicts()
    if as_json:
        _print_json(stands)
    else:
        for one in stands:
            typer.echo(
                f"{one['alert_id']}  {one['kind_code'].replace('_', ' '):<18} since {one['raised_at']:%Y-%m-%d %H:%M}  {one['sentence']}"
            )
        if not stands:
            typer.echo("No alert stands.")
    raise typer.Exit(1 if stands else 0)


def maintenance(
    action: Annotated[str, typer.Argument(help="show, start or stop.")] = "show",
    config: Config = Path("tieout.toml"),
    until: Annotated[
        str | None, typer.Option(help="start: the end of the window, e.g. 2026-11-02T06:00:00Z.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="start: its beginning; now unless given.")
    ] = None,
    reason: Reason = "",
    author: Author = "",
    as_of: AsOf = None,
) -> None:
    """Announce a maintenance window of the company, end it early, or show it: while it is open documents wait and nothing fails."""
    from tieout.warehouse import maintenance as kept
    from tieout.warehouse import runs

    house = _house(config, as_of)
    now = house.clock()
    if action == "show":
        from flows.posting.holding_back import maintenance_reason

        typer.echo(maintenance_reason(house) or "No maintenance window is open; documents go.")
        return
    run_id = runs.new_run_id(now=now, rng=random.SystemRandom())
    if action == "start":
        if until is None:
            raise InputError("Say how long: tieout maintenance start --until 2026-11-02T06:00:00Z.")
        ends = _instant(until)
        starts = _instant(begin) if begin else now
        with house.warehouse.write(run_id=run_id) as session:
            kept.announce(
                session, starts_at=starts, until_at=ends, reason=reason, author=author, now=now, run_id=run_id
            )
        typer.echo(f"Documents wait from {starts:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC.")
    elif action == "stop":
        with house.warehouse.write(run_id=run_id) as session:
            count = kept.stop(session, author=author, now=now)
        typer.echo(f"{count} window(s) ended; documents go with the next run.")
    else:
        raise InputError(f"There is no action '{action}'; choose show, start or stop.")


def _house(config: Path, as_of: str | None) -> Any:
    from flows import cli

    return cli._house(config, as_of, quiet=True)


def _instant(text: str) -> datetime:
    from flows import cli

    return cli._instant(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"'{text}' is not a day; write it like 2026-11-02.") from None


def _print_json(found: Any) -> None:
    typer.echo(json.dumps(found, indent=2, default=str, ensure_ascii=False))
