"""The demo: a seeded world behind real HTTP, two nights and a close, and a comparison of what was found with what was planted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import typer

from flows import expectations, stages
from flows.close import close_period
from flows.commands.console import progress_bar
from flows.demos.verdict import compared, prove_packs
from flows.demos.world import WORLD_SECRETS, Sandbox, prepare
from flows.prefect_api import PrefectApi
from flows.report import build
from flows.wiring import House, open_house
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.money import show

_SUBJECTS = {
    "CUSTOMER": "ledger customers",
    "ARINVOICE": "invoices",
    "ARINVOICEITEM": "invoice lines",
    "ARADJUSTMENT": "credit memos",
    "ARADJUSTMENTITEM": "credit memo lines",
    "ARPYMT": "receipts",
    "ARPYMTDETAIL": "applications",
    "GLDETAIL": "ledger entries",
    "inventory": "stock rows",
    "creditmemos": "shop credit memos",
    "source_items": "stock rows",
    "stock_totals": "ledger stock totals",
}
CLOSED_MONTH = "2026-09"


def tell(
    sandbox: Sandbox,
    api: PrefectApi | None,
    *,
    orders: int,
    folder: Path,
    storefronts: Sequence[str],
    plain: bool,
    begun: float,
) -> int:
    """The demo itself, once its processes are started: returns the exit code, 0 only if every planted fault was found, nothing else was,
    and the second night posted nothing. `begun` is the monotonic instant it is timed from."""
    if api is not None:
        # The slowest imports are done while the stand-ins and Prefect's API start, each a process of its own.
        import flows.scheduled  # noqa: F401
    import checks.contracts  # noqa: F401

    _title(
        f"A seeded world of {orders:,} orders, stand-ins for {', '.join(storefronts)} and Intacct on loopback"
    )
    config = prepare(folder, sandbox.addresses)
    os.environ.update(WORLD_SECRETS)
    house = open_house(config, clock=_world_clock(sandbox.addresses["now"]))
    house.progress = progress_bar()
    _line("storefront", f"{sandbox.addresses['commercetools']['api_url']} (OAuth2, keyset pages of 500)")
    _line("ledger", f"{sandbox.addresses['intacct']['url']} (XML gateway, 2 entities)")
    with expectations.kept():
        # What judges the nights imports for seconds: it begins while Prefect's API is still at the same.
        expectations.begin(house)
        if api is not None:
            api.wait()
        first = _night(house, config, "First night", plain=plain)
        second = _night(house, config, "Second night", plain=plain)
    closes = _close(house)
    key, ledger = sandbox.ask("/answer-key"), sandbox.ask("/ledger")
    with ThreadPoolExecutor(max_workers=1) as aside:
        # Packs are proved from their own files alone: nothing of this house is looked at meanwhile.
        proofs = aside.submit(prove_packs, closes)
        verdict = compared(house, key, ledger)
    for ok, line in proofs.result():
        verdict.add(ok, line)
    posted_again = int(second["stages"].get("post", {}).get("posted", -1))
    stock_again = int(second["stages"]["stock"].get("published", -1))
    _title("Verdict")
    good = (
        verdict.ok
        and posted_again == 0
        and stock_again == 0
        and not first["problems"]
        and not second["problems"]
    )
    _mark(posted_again == 0, f"second night: {posted_again} posted, {stock_again} stock figures written")
    for line_ok, line in verdict.lines:
        _mark(line_ok, line)
    for problem in [*first["problems"], *second["problems"]]:
        _mark(False, problem)
    _line("workbook", str(Path(closes[0]["path"]) / "reconciliation.xlsx"))
    _line("page", str(Path(closes[0]["path"]) / "reconciliation.html"))
    _line("all reports", str(house.reports))
    _line("query it", f'duckdb -readonly {house.warehouse.snapshot_path} "FROM report.differences"')
    _line("took", f"{time.monotonic() - begun:.0f} s")
    return EXIT_OK if good else EXIT_DIFFERENCES


def _world_clock(now: str) -> Callable[[], datetime]:
    start, begun = datetime.fromisoformat(now).astimezone(UTC), time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - begun)


def _night(house: House, config: Path, title: str, *, plain: bool) -> dict[str, Any]:
    _title(title)
    begun = time.monotonic()
    summary = stages.run_named(house, "nightly", {}, config=config, plain=plain)
    done = summary["stages"]
    read = ", ".join(
        f"{one['read']:,} {_SUBJECTS.get(one['subject'], one['subject'])}"
        for one in done["extract"]["sources"]
        if one.get("read")
    )
    _line("read", f"{read}; {done['extract']['new']:,} new")
    _line(
        "staged",
        f"{done['stage']['read']:,} records, {done['stage']['problems']} that could not be read whole",
    )
    _held(house, in_full=title.startswith("First"))
    _line("planned", _kinds(done["plan"]["by_kind"]) or "nothing")
    not_planned = done["plan"]["reasons"]
    if not_planned:
        _line("not planned", _counts(not_planned))
    post = done.get("post", {})
    _line(
        "posted",
        f"{post.get('posted', 0):,} documents in {post.get('batches', 0)} batches ({_kinds(post.get('accepted', {})) or 'none'})",
    )
    if post.get("refused") or post.get("unknown") or post.get("dead"):
        _line("waiting", f"{post['refused']} refused, {post['unknown']} unknown, {post['dead']} dead")
    if done.get("confirm", {}).get("confirmed"):
        _line("confirmed", f"{done['confirm']['confirmed']:,} documents seen in Intacct for the same amount")
    stock = done["stock"]
    _line("stock", f"{stock['computed']} figures worked out, {stock['published']} published")
    _line("night took", f"{time.monotonic() - begun:.1f} s")
    return summary


def _held(house: House, *, in_full: bool) -> None:
    with house.warehouse.read() as session:
        checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"}, columns=["run_id"])
        found = session.fetch("ops.findings", where={"run_id": checks["run_id"].max()})
    rules = (
        found.group_by("severity", "rule_code")
        .agg(pl.len(), pl.col("sentence").first())
        .sort("severity", "rule_code")
    )
    held = found.filter(pl.col("severity") == "hold")["order_ref"].n_unique() if found.height else 0
    again = "" if in_full or not held else ", for the reasons above"
    _line("held", f"{held} orders{again}" if held else "no orders")
    if not in_full:
        return
    for severity, rule, count, sentence in rules.iter_rows():
        typer.echo(f"               {severity:<5} {count:>4}  {rule.replace('_', ' ')}: {sentence}")


def _close(house: House) -> list[dict[str, Any]]:
    _title(f"Close of {CLOSED_MONTH}")
    summary = close_period(house, period=CLOSED_MONTH)
    for line in summary["text"]:
        typer.echo(f"  {line}")
    data = build(house, period=CLOSED_MONTH)
    typer.echo(
        "\n  Waterfall, from gross orders to what Intacct holds (all stores, base currencies; the page has the rest)"
    )
    steps = (
        data.waterfall.filter(pl.col("tie_out") == "orders")
        .group_by("entity_code", "currency", "step_no", "step_code", "label", "is_total")
        .agg(pl.col("amount_minor").sum(), pl.col("row_count").sum())
        .sort("entity_code", "currency", "step_no")
    )
    bases = {(entity.code, entity.base_currency) for entity in house.settings.entities}
    for (entity, currency), block in steps.group_by(["entity_code", "currency"], maintain_order=True):
        if (entity, currency) not in bases:
            continue
        typer.echo(f"\n    {entity} {currency}")
        for one in block.filter(pl.col("is_total") | (pl.col("amount_minor") != 0)).iter_rows(named=True):
            rule = "  " + "─" * 62 + "\n" if one["is_total"] else ""
            figure = show(one["amount_minor"], str(currency))
            typer.echo(f"{'    ' + rule if rule else ''}      {one['label']:<44} {figure:>18}")
    typer.echo("\n  Differences by reason (storefront minus Intacct, in the month)")
    totals = data.totals().filter(
        (pl.col("period_count") > 0)
        & pl.col("family_code").is_in(["timing", "explained", "error", "ambiguous"])
    )
    for one in totals.iter_rows(named=True):
        minor = one["period_delta_minor"] + (
            one["period_timing_minor"] if one["family_code"] == "timing" else 0
        )
        _difference(
            one["tie_out"],
            one["entity_code"],
            one["family_code"],
            one["outcome_code"],
            one["period_count"],
            minor,
            one["currency"],
        )
    dates = (
        data.totals()
        .filter(pl.col("family_code") != "timing")
        .group_by("tie_out", "entity_code", "currency", maintain_order=True)
        .agg(pl.col("period_timing_minor").sum())
        .filter(pl.col("period_timing_minor") != 0)
    )
    for tie_out, entity, currency, minor in dates.iter_rows():
        _difference(tie_out, entity, "timing", "dates of the rows above", 0, minor, currency)
    unexplained = data.tie_outs().select(pl.col("unexplained_minor").abs().sum()).item()
    proofs = data.proofs
    wrong = proofs.filter(pl.col("difference_minor") != 0).height
    _mark(
        wrong == 0 and unexplained == 0,
        f"foots to 0.00: {proofs.height} proofs, {wrong} off, unexplained {unexplained}",
    )
    return list(summary["closes"])


def _kinds(counts: dict[str, int]) -> str:
    return _counts({f"{kind}s": count for kind, count in counts.items()})


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def _title(text: str) -> None:
    typer.echo("\n" + typer.style(text, bold=True))


def _line(label: str, text: str) -> None:
    typer.echo(f"  {label:<12} {text}")


def _difference(
    tie_out: str, entity: str, family: str, code: str, count: int, minor: int, currency: str
) -> None:
    figure = f"{show(minor, currency)} {currency}"
    typer.echo(
        f"    {tie_out:<9} {entity or '–':<5} {family:<10} {code.replace('_', ' '):<28} {count or '':>5}  {figure:>20}"
    )


def _mark(ok: bool, text: str) -> None:
    typer.echo(f"  {typer.style('✓', fg='green') if ok else typer.style('✗', fg='red')} {text}")
