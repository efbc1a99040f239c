"""`tieout reconcile`: two exports that any shop and any ledger can make, compared to the cent. No server, no configuration.

Orders against invoices and credit memos; payments against receipts where both are given; orders against payments where there is no ledger.
The same transforms do it that reconcile the warehouse, so the same rules, outcomes and proofs hold.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import polars as pl

from checks.contracts import ALL
from flows.plain_entities import EVERYTHING, Places, find_places, placed_ledger
from flows.plain_report import printed, report_data, written
from flows.plain_stage import Tables, stage_files
from flows.plain_storefront import staging_transforms
from flows.plain_text import Text, open_text
from tieout.connectors.storefronts.files import Files
from tieout.connectors.storefronts.files_map import ColumnMap
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK, DoesNotFoot, InputError
from tieout.money import decimal_from_text, exponent, show, to_minor
from tieout.vocabulary import COMPONENTS
from transforms.recognition import RecognitionPolicy, owed
from transforms.reconcile import (
    Inputs,
    PaidResult,
    Period,
    Policy,
    Result,
    Tolerance,
    proofs,
    reconcile,
    reconcile_paid,
)
from transforms.reconcile.references import normalised

__all__ = ["FilesResult", "reconcile_files", "staging_transforms"]

Progress = Callable[[str, int, int | None], None]
_INVOICED: Final = 900
"""The step of the waterfall that is Intacct's own sum of invoices; what follows it is about receipts."""
Compared = Result | PaidResult
_PARTS: Final = tuple(name for name in COMPONENTS if name not in ("other", "rounding"))


BYTES_PER_ROW = 1300
"""Peak memory per row of all files together, measured with a million orders and a million invoices (tests/bench/bench_files.py)."""


@dataclass(frozen=True)
class FilesResult:
    """What a reconciliation of plain files came to: lines to print, the exit code, where the report is, and its content hash."""

    text: tuple[str, ...]
    exit_code: int
    folder: Path
    content_sha256: str


def reconcile_files(
    given: Mapping[str, Sequence[str]],
    *,
    out: Path,
    column_map: Path | None = None,
    period: str | None = None,
    tolerance: Sequence[str] = (),
    as_of: datetime | None = None,
    say: Callable[[str], None] = lambda _text: None,
    progress: Progress = lambda _label, _done, _total: None,
) -> FilesResult:
    """Reconcile files of the kinds orders, lines, payments, refunds, invoices, receipts and credit_memos, and write the report to `out`.

    given      kind of file → paths or globs
    column_map how the files are written; None for the documented default layout
    period     a month (`2026-09`); None takes all dates as one period
    tolerance  what may differ per order and currency, as `USD=0.01`
    as_of      printed on the report and nothing else; the present instant if None

    Raises `InputError` (one sentence) for files, maps or arguments that cannot be used, and `DoesNotFoot` if a proof fails; then
    nothing is written. Rows that cannot be read are listed with file, row and reason, and the rest goes on.
    """
    _combination(given)
    chart = ColumnMap.load(column_map) if column_map else ColumnMap()
    allowed = _tolerance(tolerance)
    month = Period.month(period) if period else None
    with (
        tempfile.TemporaryDirectory(prefix="tieout-") as work,
        Files(given, chart, work_dir=Path(work) / "copies") as files,
    ):
        texts: dict[str, Text] = {}
        for subject in files.subjects():
            say(f"reading {subject.replace('_', ' ')}")
            texts[subject] = open_text(files, subject)
        if not texts["orders"].rows:
            raise InputError(
                f"{texts['orders'].parts[0].name} has a header and no rows; there are no orders to reconcile."
            )
        _room(sum(text.rows for text in texts.values()))
        say("taking the rows apart")
        tables = stage_files(texts, Path(work), progress=progress)
        places = find_places(tables.scan("core.orders"), tables.scan("core.ar_invoices"))
        policy = _policy(places, chart, allowed, month)
        say("comparing")
        result = _compared(given, texts, tables, places, policy, chart)
        found = _proved(result)
        if "receipts" not in given:
            result, found = _without_open_items(result, found)
        data = report_data(
            result,
            found,
            texts=texts,
            tables=tables,
            period=period,
            as_of=as_of or datetime.now(UTC),
            parameters=_parameters(given, chart, allowed, period, places),
        )
        for name in ("orders", "payments", "waterfall", "ageing"):
            table = ALL[f"recon.{name}"]
            table.checked(table.shaped(getattr(data, name)), at="when reconciling files")
        folder, digest = written(out, data, tables, say)
        notes = [note for text in texts.values() for note in text.notes] + _doubts(given)
        clean = data.ties and tables.problems.is_empty()
        return FilesResult(
            text=tuple(printed(data, tables, folder, notes)),
            exit_code=EXIT_OK if clean else EXIT_DIFFERENCES,
            folder=folder,
            content_sha256=digest,
        )


# ── what was asked ──────────────────────────────────────────────────────────────────────────────────────────────


def _combination(given: Mapping[str, Sequence[str]]) -> None:
    """Refuse combinations that leave nothing to compare."""
    if "orders" not in given:
        raise InputError("There is no order file; name it with --orders.")
    if "invoices" not in given and not {"payments", "refunds"} & set(given):
        raise InputError(
            "There is nothing to compare the orders with; give --invoices, or --payments, or both."
        )
    if "receipts" in given and "payments" not in given:
        raise InputError("Receipts are compared with payments; give --payments too, or leave --receipts out.")
    if "receipts" in given and "invoices" not in given:
        raise InputError("Receipts belong to invoices; give --invoices too, or leave --receipts out.")
    if "credit_memos" in given and "invoices" not in given:
        raise InputError("Credit memos belong to invoices; give --invoices too, or leave --credit-memos out.")


def _room(rows: int) -> None:
    """Refuse what would be killed for want of memory half-way. Raises `InputError` with what would fit."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return  # not Linux: nothing is known, so nothing is refused
    free = next(
        (int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("MemAvailable:")), None
    )
    if free is not None and rows * BYTES_PER_ROW > free:
        raise InputError(
            f"{rows:,} rows need about {rows * BYTES_PER_ROW / 2**30:.0f} GB of memory and {free / 2**30:.0f} GB are free; "
            f"split the files (for example by month, an order with its invoices) into parts of {free // BYTES_PER_ROW:,} rows or fewer."
        )


def _doubts(given: Mapping[str, Sequence[str]]) -> list[str]:
    """What the choice of files makes of the result, said aloud."""
    said = []
    if "invoices" in given and "refunds" in given and "credit_memos" not in given:
        said.append("no credit memos were given: refunds are compared with negative invoices only")
    if "credit_memos" in given and not {"payments", "refunds"} & set(given):
        said.append("no refunds were given: every credit memo stands without one")
    if "invoices" in given and "payments" in given and "receipts" not in given:
        said.append("no receipts were given: of the payments, only refunds count (they owe credit memos)")
    return said


def _tolerance(texts: Sequence[str]) -> Tolerance:
    """`USD=0.01` as minor units by currency."""
    amounts: dict[str, int] = {}
    for text in texts:
        code, equals, amount = (part.strip() for part in text.partition("="))
        if not equals:
            raise InputError(f"'{text}' is not a tolerance; write it like USD=0.01.")
        currency = code.upper()
        digits = exponent(currency)
        value = decimal_from_text(amount)
        if value < Decimal(0):
            raise InputError(
                f"A tolerance cannot be negative; write it like {currency}={Decimal(1).scaleb(-digits)}."
            )
        amounts[currency] = to_minor(value, currency)
    return Tolerance(absolute_minor=amounts)


def _basis(chart: ColumnMap) -> str:
    """When a sale counts: as the map says under [orders], else when it was placed."""
    return chart.of("orders").basis or "placed"


def _zone(chart: ColumnMap) -> str:
    return chart.of("orders").time_zone or "UTC"


def _policy(places: Places, chart: ColumnMap, tolerance: Tolerance, month: Period | None) -> Policy:
    entities = places.stores["entity_code"].unique().to_list()
    return Policy(tolerance=tolerance, period=month, zones=dict.fromkeys(sorted(entities), _zone(chart)))


def _parameters(
    given: Mapping[str, Sequence[str]],
    chart: ColumnMap,
    tolerance: Tolerance,
    period: str | None,
    places: Places,
) -> list[tuple[str, str]]:
    said = ", ".join(
        f"{show(minor, code)} {code}" for code, minor in sorted(tolerance.absolute_minor.items())
    )
    against = "invoices and credit memos" if "invoices" in given else "payments; no ledger was given"
    return [
        (
            "Compared",
            f"orders against {against}" + (", payments against receipts" if "receipts" in given else ""),
        ),
        ("Period", period or "all dates as one period"),
        ("Sales count when", _basis(chart)),
        ("Time zone of accounting dates", _zone(chart)),
        ("Tolerance", said or "0"),
        *places.said,
    ]


# ── the comparison ──────────────────────────────────────────────────────────────────────────────────────────────


def _compared(
    given: Mapping[str, Sequence[str]],
    texts: Mapping[str, Text],
    tables: Tables,
    places: Places,
    policy: Policy,
    chart: ColumnMap,
) -> Compared:
    for number in range(tables.slices):
        tables.put("placed.orders", places.placed_orders(tables.slice("core.orders", number)), number)
    if "invoices" not in given:
        return _paid(texts, tables, places, policy)
    _recognise(tables, places, chart)
    orders = tables.scan("placed.orders")
    payments = tables.scan("core.payments")
    mapping = places.mapping()
    entities = orders.join(
        mapping.lazy().select("store_ref", entity="entity_code"), on="store_ref", how="left"
    )
    of_orders = entities.select(plain=normalised("order_number"), entity="entity")
    of_payments = (
        payments.filter(pl.col("gateway_ref").is_not_null())
        .select("order_ref", plain=normalised("gateway_ref"))
        .join(entities.select("order_ref", "entity"), on="order_ref")
        .select("plain", "entity")
    )
    ledger = placed_ledger(
        places,
        invoices=tables.scan("core.ar_invoices"),
        memos=tables.scan("core.ar_adjustments"),
        receipts=tables.scan("core.ar_receipts"),
        applications=tables.scan("core.ar_applications"),
        order_entities=of_orders,
        payment_entities=of_payments,
    )
    has_receipts = "receipts" in given
    found, lines = _comparable(texts, tables.scan("recon.owed"), tables.scan("core.ar_lines"))
    if not has_receipts:
        found = found.filter(pl.col("event_code") != "receipt")
    return reconcile(
        Inputs(
            orders=orders,
            owed=found,
            excluded=tables.scan("recon.excluded"),
            stores=mapping,
            payments=payments if has_receipts else None,
            order_lines=tables.scan("core.order_lines"),
            ar_invoices=ledger.invoices,
            ar_lines=lines,
            ar_adjustments=ledger.memos,
            ar_receipts=ledger.receipts if has_receipts else None,
            ar_applications=tables.scan("core.ar_applications") if _applied(texts) else None,
            waiting=_waiting(tables),
        ),
        policy,
    )


def _knows_lines(texts: Mapping[str, Text]) -> bool:
    return "lines" in texts or texts["orders"].rules.rows == "line"


def _applied(texts: Mapping[str, Text]) -> bool:
    """Whether the files say what is applied to what; where they do not, nothing is judged misapplied or unapplied."""
    return any(
        "invoice_number" in texts[name].stated for name in ("receipts", "credit_memos") if name in texts
    )


def _paid(texts: Mapping[str, Text], tables: Tables, places: Places, policy: Policy) -> PaidResult:
    """Orders against what was paid for them; only lines that a file shows count as lines."""
    lines = None
    if _knows_lines(texts):
        lines = tables.scan("core.order_lines").filter(pl.col("line_ref").str.starts_with("row "))
    zone = next(iter(policy.zones.values()), "UTC")
    orders = tables.scan("placed.orders").filter(pl.col("problem").is_null())
    result = reconcile_paid(orders, lines, tables.scan("core.payments"), replace(policy, zones={"": zone}))
    code = places.only or EVERYTHING
    named = pl.lit(code).alias("entity_code")
    return replace(
        result,
        **{
            name: getattr(result, name).with_columns(named)
            for name in ("orders", "payments", "waterfall", "ageing", "footing")
        },
    )


def _recognise(tables: Tables, places: Places, chart: ColumnMap) -> None:
    """What is owed, slice by slice: all of an order is in one slice."""
    policy = RecognitionPolicy(basis=_basis(chart), zone=_zone(chart))
    mapping = places.mapping()
    nothing = {
        name: pl.DataFrame(schema=tables.schema(f"core.{name}"))
        for name in ("shipments", "order_payments", "returns")
    }
    for number in range(tables.slices):
        found = owed(
            tables.slice("placed.orders", number),
            tables.slice("core.order_lines", number),
            nothing["shipments"],
            tables.slice("core.payments", number),
            nothing["order_payments"],
            nothing["returns"],
            mapping,
            policy=policy,
        )
        tables.put("recon.owed", found.owed, number)
        tables.put("recon.excluded", found.excluded, number)


def _comparable(
    texts: Mapping[str, Text], found: pl.LazyFrame, lines: pl.LazyFrame
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Owed amounts and ledger lines by the components that both sides state; what only one side tells apart is `other` on both.

    A ledger export of totals alone is so compared by totals alone, and nothing is called a difference of tax that nobody stated.
    """
    orders, invoices = texts["orders"], texts["invoices"]
    stated = set(orders.stated)
    if _knows_lines(texts):
        of_lines = (
            texts["lines"].stated if "lines" in texts else {name.removeprefix("line_") for name in stated}
        )
        stated |= (
            {"goods"}
            | ({"tax"} & of_lines)
            | ({"shipping", "fees", "discount", "gift_card"} if "kind" in of_lines else set())
        )
    both = [name for name in _PARTS if name in stated and name in invoices.stated]
    folded = [f"{name}_minor" for name in _PARTS if name not in both]
    rounding = [] if both else ["rounding_minor"]
    is_document = pl.col("event_code") != "receipt"
    rest = pl.col("other_minor") + pl.sum_horizontal(*folded, *rounding)
    found = found.with_columns(
        pl.when(is_document).then(rest).otherwise("other_minor").alias("other_minor"),
        *[
            pl.when(is_document).then(0).otherwise(name).cast(pl.Int64).alias(name)
            for name in (*folded, *rounding)
        ],
    )
    kept = pl.col("component_code").is_in(both)
    lines = lines.with_columns(component_code=pl.when(kept).then("component_code").otherwise(pl.lit("other")))
    return found, lines


def _waiting(tables: Tables) -> pl.DataFrame:
    """Orders of which something could not be read, with the sentence."""
    unread = tables.scan("placed.orders").filter(pl.col("problem").is_not_null())
    return unread.select(
        "storefront",
        "order_ref",
        pl.lit(None, dtype=pl.String).alias("event_ref"),
        pl.lit("held").alias("state"),
        pl.col("problem").str.replace(r"^[a-z_]+: ", "").alias("reason"),
    ).collect()


def _without_open_items(result: Compared, found: pl.DataFrame) -> tuple[Compared, pl.DataFrame]:
    """Without receipts nobody knows what is open: the bridge ends with what was invoiced, and there is no ageing."""
    bridge = result.waterfall.filter((pl.col("tie_out") != "orders") | (pl.col("step_no") <= _INVOICED))
    told = ~pl.col("name").str.contains("ageing|open|receipt|payment")
    if isinstance(result, PaidResult):
        return result, found
    return replace(result, waterfall=bridge, ageing=result.ageing.clear()), found.filter(told)


def _proved(result: Compared) -> pl.DataFrame:
    """The proofs of a reconciliation. Raises `DoesNotFoot` if any is not zero."""
    found = proofs(result)
    broken = found.filter(pl.col("difference_minor") != 0)
    if broken.height:
        worst = broken.row(0, named=True)
        raise DoesNotFoot(
            f"{broken.height} of {found.height} proofs do not foot; first: {worst['name']} for {worst['entity_code'] or 'all entities'} "
            f"is off by {show(worst['difference_minor'], worst['currency'])} {worst['currency']}. Nothing was written; "
            "this is a defect or damaged data, not a difference to explain away."
        )
    return found
