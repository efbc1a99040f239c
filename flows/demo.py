"""The demo: a seeded world behind real HTTP, two nights and a close, and a comparison of what was found with what was planted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import typer

from flows import expectations, stages
from flows.close import close_period
from flows.closing.verifying import verify
from flows.console import progress_bar
from flows.prefect_api import PrefectApi
from flows.report import build
from flows.starter import starter_folder
from flows.storefronts import KINDS
from flows.wiring import House, open_house
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK, ConnectorError, InputError
from tieout.money import show
from transforms.closing.statement import Books

WORLD_SECRETS = {
    # The stand-in world's own pass words; they open nothing but the sandbox.
    "TIEOUT_INTACCT_USER_PASSWORD": "demo-user-secret",
    "TIEOUT_INTACCT_SENDER_PASSWORD": "demo-sender-secret",
    "TIEOUT_SHOP_CLIENT_SECRET": "demo-secret",
    "TIEOUT_MAGENTO_CONSUMER_SECRET": "demo-consumer-secret",
    "TIEOUT_MAGENTO_ACCESS_TOKEN": "demo-access",
    "TIEOUT_MAGENTO_ACCESS_SECRET": "demo-access-secret",
    "TIEOUT_XCART_API_KEY": "demo-xcart-key",
    "TIEOUT_XCART_ADDON_API_KEY": "demo-addon-key",
    "TIEOUT_CLARITY_CLIENT_SECRET": "demo-clarity-secret",
}
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
MONTHS = ("2026-09", "2026-10")
CLOSED_MONTH = "2026-09"
_LEDGER = "[intacct]\n"
_FOUND_BY_EMAIL = 'match_customers_by = ["number", "email"]\n'
_TEMPLATE = Path(__file__).with_name("demo.toml")


class Sandbox:
    """The stand-ins as a process of their own, reached only over HTTP."""

    def __init__(
        self, folder: Path, *, orders: int, seed: int, storefronts: Sequence[str] = ("commercetools",)
    ) -> None:
        self._addresses = folder / "addresses.json"
        self._addresses.unlink(missing_ok=True)
        self._log = (folder / "sandbox.log").open("wb")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tieout.sandbox",
                *storefronts,
                "intacct",
                "--seed",
                str(seed),
                "--orders",
                str(orders),
                "--addresses",
                str(self._addresses),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._folder = folder

    @cached_property
    def addresses(self) -> dict[str, Any]:
        """Where the stand-ins answer; waits until they do. Raises `ConnectorError` if they do not start."""
        return self._wait(self._folder)

    def wait(self) -> dict[str, Any]:
        """The addresses, once the stand-ins answer."""
        return self.addresses

    def _wait(self, folder: Path) -> dict[str, Any]:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            if self._addresses.exists():
                return json.loads(self._addresses.read_text(encoding="utf-8"))
            if self._process.poll() is not None:
                raise ConnectorError(f"The sandbox did not start; see {folder / 'sandbox.log'}.")
            time.sleep(0.05)
        raise ConnectorError(f"The sandbox was not ready after 300 s; see {folder / 'sandbox.log'}.")

    def ask(self, path: str) -> Any:
        """A page of the control door, as JSON."""
        with urllib.request.urlopen(self.addresses["control"]["url"] + path, timeout=60) as reply:  # noqa: S310  (loopback, our own door)
            return json.loads(reply.read())

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()


def prepare(folder: Path, addresses: dict[str, Any]) -> Path:
    """Lay out the demo's own configuration and mappings; returns the configuration file."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    shop = addresses["commercetools"]
    for name, value in (
        ("INTACCT_URL", addresses["intacct"]["url"]),
        ("API_URL", shop["api_url"]),
        ("AUTH_URL", shop["auth_url"]),
        ("PROJECT_KEY", shop["project_key"]),
        ("CLIENT_ID", shop["client_id"]),
    ):
        text = text.replace("{{" + name + "}}", value)
    # Further storefronts have a part of the configuration each, filled from what their stand-in says of itself.
    for part in sorted(_TEMPLATE.parent.glob("demo_*.toml")):
        known = addresses.get(part.stem.removeprefix("demo_"))
        if known is not None:
            section = part.read_text(encoding="utf-8")
            for name, value in known.items():
                section = section.replace("{{" + name + "}}", str(value))
            text += section
            if "core.customers.customer_number" in KINDS[part.stem.removeprefix("demo_")].cannot_tell:
                # The ledger's customers are numbered; where a shop does not know the number, the e-mail address finds them.
                text = (
                    text.replace(_LEDGER, _LEDGER + _FOUND_BY_EMAIL, 1)
                    if _FOUND_BY_EMAIL not in text
                    else text
                )
    config = folder / "tieout.toml"
    config.write_text(text, encoding="utf-8")
    shutil.copytree(
        starter_folder() / "mappings",
        folder / "mappings",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".gitkeep"),
    )
    return config


def known_storefronts() -> tuple[str, ...]:
    """The storefronts a demo can run: the one that told its past, and every one with a part of the configuration."""
    parts = (part.stem.removeprefix("demo_") for part in _TEMPLATE.parent.glob("demo_*.toml"))
    return ("commercetools", *sorted(parts))


def run_demo(
    *, orders: int, seed: int, folder: Path, plain: bool, storefronts: Sequence[str] = ("commercetools",)
) -> int:
    """Run the demo and return the exit code: 0 only if every planted fault was found, nothing else was, and the second night posted nothing."""
    begun = time.monotonic()
    if list(storefronts) == ["all"]:
        storefronts = known_storefronts()
    unknown = [name for name in storefronts if name not in known_storefronts()]
    if unknown:
        raise InputError(
            f"The demo has no storefront {', '.join(unknown)}; choose among {', '.join(known_storefronts())}, or all."
        )
    if "commercetools" not in storefronts:
        raise InputError("The demo's past was told by commercetools; name it among --storefronts.")
    _fresh(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _title(
        f"A seeded world of {orders:,} orders, stand-ins for {', '.join(storefronts)} and Intacct on loopback"
    )
    sandbox = Sandbox(folder, orders=orders, seed=seed, storefronts=storefronts)
    try:
        os.environ["PREFECT_HOME"] = str((folder / "prefect").resolve())
        api = None
        if not plain:
            # The slowest imports are done while the stand-ins and Prefect's API start, each a process of its own.
            stages.quiet_prefect()
            api = PrefectApi()
            import flows.scheduled  # noqa: F401
        import checks.contracts  # noqa: F401

        config = prepare(folder, sandbox.addresses)
        os.environ.update(WORLD_SECRETS)
        house = open_house(config, clock=_world_clock(sandbox.addresses["now"]))
        house.progress = progress_bar()
        _line("storefront", f"{sandbox.addresses['commercetools']['api_url']} (OAuth2, keyset pages of 500)")
        _line("ledger", f"{sandbox.addresses['intacct']['url']} (XML gateway, 2 entities)")
        if api is not None:
            api.wait()
        with expectations.kept():
            first = _night(house, config, "First night", plain=plain)
            second = _night(house, config, "Second night", plain=plain)
        closes = _close(house)
        verdict = _compare(house, sandbox.ask("/answer-key"), sandbox.ask("/ledger"))
        _prove_packs(verdict, closes)
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
    finally:
        sandbox.stop()


def _fresh(folder: Path) -> None:
    """Each demo starts anew; only a folder that a demo made is ever removed."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "sandbox.log").exists():
            raise InputError(f"{folder} holds other files; choose an empty or new folder with --folder.")
        for entry in folder.iterdir():
            if entry.name == "prefect":
                continue  # its database needs ten seconds to be made anew, and holds nothing but the history of runs
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


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


class Verdict:
    """What the comparison with the answer key came to, line by line."""

    def __init__(self) -> None:
        self.lines: list[tuple[bool, str]] = []

    def add(self, ok: bool, line: str) -> None:
        """Add one line."""
        self.lines.append((ok, line))

    @property
    def ok(self) -> bool:
        """Whether every line is good."""
        return all(ok for ok, _line in self.lines)


def _compare(house: House, key: dict[str, Any], ledger: dict[str, Any]) -> Verdict:
    """Findings against planted faults: nothing missed, nothing invented; the ledger against the outbox: nothing lost, nothing twice."""
    verdict = Verdict()
    expected = expected_findings(key)
    actual = actual_findings(house)
    missed, invented = expected - actual, actual - expected
    hits = len(expected & actual)
    precision = hits / len(actual) if actual else 1.0
    recall = hits / len(expected) if expected else 1.0
    verdict.add(
        not missed and not invented,
        f"planted faults {len(expected)}, found {hits}, missed {len(missed)}, invented {len(invented)} (precision {precision:.3f}, recall {recall:.3f})",
    )
    for title, some in (("missed", missed), ("invented", invented)):
        for code, count in sorted(Counter(code for code, _ in some).items()):
            example = sorted(ref for one, ref in some if one == code)[0]
            verdict.add(False, f"{title}: {count} × {code}, for example {example}")
    doubled, lost = ledger_against_outbox(house, ledger)
    verdict.add(
        not doubled and not lost,
        f"ledger holds every posted document once: {len(lost)} lost, {len(doubled)} doubled",
    )
    return verdict


def _prove_packs(verdict: Verdict, closes: Sequence[dict[str, Any]]) -> None:
    """Each sealed pack proved from its own files alone, as an auditor would."""
    compared: dict[str, Books] = {}
    for one in closes:
        found = verify(Path(one["path"]), compared=compared)
        wrong = [finding.sentence for finding in found["findings"] if not finding.holds]
        said = (
            f"{len(found['findings'])} findings, all hold" if found["proved"] else f"not proved: {wrong[0]}"
        )
        verdict.add(found["proved"], f"pack of {one['entity']} {one['period']} proved offline: {said}")


def expected_findings(key: dict[str, Any]) -> set[tuple[str, str]]:
    """(code, subject) of every planted fault; the subject is the order number, or the document or payment of an orphan."""
    return {(fault["expected_code"], subject_of(fault)) for fault in key["faults"]}


def subject_of(fault: dict[str, Any]) -> str:
    """What a planted fault is about, in the word a finding would use."""
    return str(fault["order_ref"] or fault["document"] or fault["payment_ref"])


def actual_findings(house: House) -> set[tuple[str, str]]:
    """(code, subject) of everything the tool reported as an error, ambiguous, explained, cut-off, or held by a rule."""
    found: set[tuple[str, str]] = set()
    with house.warehouse.read() as session:
        checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"}, columns=["run_id"])
        held = session.fetch("ops.findings", where={"run_id": checks["run_id"].max(), "severity": "hold"})
    told = pl.col("family_code").is_in(["error", "ambiguous", "explained"]) | (
        pl.col("outcome_code") == "cut_off"
    )
    # A cut-off difference only exists between two periods, so every month is reconciled by itself. Money received a few days
    # after it moved, because its invoice came later, is every shop's daily timing: only invoices are planted out of their month.
    for month in MONTHS:
        data = build(house, period=month)
        late = pl.col("outcome_code") == "cut_off"
        for frame, orphan in (
            (data.orders.lazy().filter(told), "documents"),
            (data.payments.lazy().filter(told & ~late), "gateway_ref"),
        ):
            for row in frame.collect().iter_rows(named=True):
                found.add((row["outcome_code"], str(row["order_ref"] or row[orphan] or row["group_ref"])))
    for row in held.iter_rows(named=True):
        found.add((row["rule_code"], str(row["order_ref"] or row["subject_ref"])))
    return found


def ledger_against_outbox(house: House, ledger: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Numbers that stand twice in the stand-in's books although we posted them, and accepted documents that are not there."""
    with house.warehouse.read() as session:
        accepted = session.fetch(
            "ops.outbox", where={"state_code": "accepted"}, columns=["document_id", "intacct_key"]
        )
        documents = session.fetch("out.documents").join(accepted, on="document_id")
    books = {"invoice": "invoices", "credit_memo": "adjustments", "receipt": "receipts"}
    doubled, lost = [], []
    for kind, shelf in books.items():
        mine = documents.filter(pl.col("kind_code") == kind)
        there = {str(one["recordno"]): one for one in ledger[shelf]}
        name = "docnumber" if kind == "receipt" else "recordid"
        numbers = Counter(one.get(name) for one in ledger[shelf])
        for key, number in mine.select("intacct_key", "number").iter_rows():
            if key not in there:
                lost.append(number)
            elif numbers[number] > 1:
                doubled.append(number)
    return doubled, lost


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
