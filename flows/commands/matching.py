"""Commands for people who decide about differences: match, unmatch, explain, write-off, withdraw, approve, and the lists of both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", envvar="TIEOUT_CONFIG")
]
Reason = Annotated[str, typer.Option(help="Why; kept beside the decision.")]
Author = Annotated[str, typer.Option(help="Your name; kept beside the decision.", envvar="TIEOUT_AUTHOR")]
Payments = Annotated[
    bool, typer.Option("--payments", help="A payment and receipts instead of an order and documents.")
]
Entity = Annotated[str | None, typer.Option(help="Only this entity, where one name has several rows.")]
Currency = Annotated[str | None, typer.Option(help="Only this currency, where one name has several rows.")]
Item = Annotated[str, typer.Argument(help="Order number, order id, document, or a payment's reference.")]
Documents = Annotated[
    list[str], typer.Argument(help="Document numbers or `invoice:`/`adjustment:`/`receipt:` RECORDNO.")
]
DEFAULT = Path("tieout.toml")


def _house(config: Path) -> Any:
    from flows.wiring import open_house

    return open_house(config)


def _print(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @app.command()
    def match(
        item: Item, documents: Documents, payments: Payments = False, reason: Reason = "", author: Author = "", config: Config = DEFAULT,
    ) -> None:  # fmt: skip
        """Say that these documents belong to an order (with --payments: these receipts to a payment), whatever the passes found."""
        from flows.comparing.deciding import pair

        _print(
            pair(_house(config), "match", item, documents, payments=payments, reason=reason, author=author)
        )

    @app.command()
    def unmatch(
        item: Item, documents: Documents, payments: Payments = False, reason: Reason = "", author: Author = "", config: Config = DEFAULT,
    ) -> None:  # fmt: skip
        """Say that these documents do not belong to an order (with --payments: these receipts to a payment)."""
        from flows.comparing.deciding import pair

        _print(
            pair(_house(config), "unmatch", item, documents, payments=payments, reason=reason, author=author)
        )

    @app.command()
    def explain(
        item: Item, payments: Payments = False, entity: Entity = None, currency: Currency = None, reason: Reason = "",
        author: Author = "", config: Config = DEFAULT,
    ) -> None:  # fmt: skip
        """Accept a difference with a reason; it holds while its code and amount stay what they are now."""
        from flows.comparing.deciding import accept

        _print(
            accept(_house(config), item, payments=payments, entity=entity, currency=currency, reason=reason, author=author)
        )  # fmt: skip

    @app.command(name="write-off")
    def write_off(
        item: Item,
        code: Annotated[str, typer.Option("--code", help="Reason code; it names the account.")],
        payments: Payments = False, entity: Entity = None, currency: Currency = None, reason: Reason = "", author: Author = "",
        config: Config = DEFAULT,
    ) -> None:  # fmt: skip
        """Write a difference off to the account of a reason code, within the configured cap; drafts a journal."""
        from flows.comparing.deciding import accept

        _print(
            accept(
                _house(config), item, payments=payments, entity=entity, currency=currency, reason=reason, author=author, reason_code=code,
            )
        )  # fmt: skip

    @app.command()
    def withdraw(
        decision: Annotated[str, typer.Argument(help="The decision's id.")],
        reason: Reason = "", author: Author = "", config: Config = DEFAULT,
    ) -> None:  # fmt: skip
        """End an earlier decision; both stay on record."""
        from flows.comparing import deciding

        _print(deciding.withdraw(_house(config), decision, reason=reason, author=author))

    @app.command()
    def decisions(config: Config = DEFAULT) -> None:
        """List every decision ever taken, and whether it still holds."""
        from flows.comparing.deciding import listed

        _print(listed(_house(config)))

    @app.command()
    def drafts(config: Config = DEFAULT) -> None:
        """List what decisions and forensics drafted: journals and reversals, with their lines."""
        from flows.comparing.deciding import drafted

        _print(drafted(_house(config)))

    @app.command()
    def approve(
        draft: Annotated[str, typer.Argument(help="The draft's id.")],
        reason: Reason = "", author: Author = "", config: Config = DEFAULT,
    ) -> None:  # fmt: skip
        """Release a draft; whoever decided part of it cannot approve it."""
        from flows.comparing import deciding

        _print(deciding.approve(_house(config), draft, reason=reason, author=author))
