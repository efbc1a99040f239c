"""The pack of one entity of several: its own inputs give its figures, and nothing of another entity is in any file unless it could be matched with its own."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from closing_house import PLAIN, SETTINGS, completed, fill, house_in, pay_out, post_to_ledger
from forged_packs import not_proved
from reconcile_worlds import POLICIES, drawn

import flows.closing.entity_pack
from checks.contracts import ALL
from flows.close import close_period
from flows.comparing.deciding import pair
from flows.reconcile import reconcile
from flows.wiring import House
from tieout.reports.pack import Pack
from transforms.closing import statement
from transforms.closing.follow_up import Payouts
from transforms.closing.own import Own, differing, own
from transforms.closing.refunds_paid import Refunds
from transforms.closing.translation import implied_rates
from transforms.reconcile import Period

pytestmark = pytest.mark.usefixtures("kept_attached")

BASES = {"E100": "USD", "E200": "EUR"}


# --- from the whole and from the share ---------------------------------------------------------------------------
def stated(kept: statement.Books, entity: str) -> dict[str, pl.DataFrame]:
    period = kept.policy.period
    assert period is not None
    worth = statement.document_bases(kept.period, kept.inputs).filter(pl.col("entity_code") == entity)
    bases = pl.DataFrame({"entity_code": [entity], "base_currency": [BASES[entity]]})
    rates = implied_rates(worth, period, bases)
    return statement.statement(
        kept, entity=entity, base_currency=BASES[entity], last_register=None, rates=rates
    )


def again(share: Own) -> statement.Books:
    return statement.books(share.inputs, share.policy, share.entries, share.payouts, share.refunds)


@pytest.mark.parametrize(("which", "seed"), [(0, 13), (1, 105), (2, 201)])
def test_worlds_full_of_ties_give_the_same_figures_from_the_share_as_from_the_whole(
    which: int, seed: int
) -> None:
    """Among them payments that name one order and are named by others."""
    policy = replace(
        POLICIES[which], period=POLICIES[which].period or Period.month("2026-09"), bucket_least=50_000
    )
    inputs = drawn(seed)
    inputs = replace(
        inputs, decisions=inputs.whole("decisions")
    )  # with every column, as a warehouse has them
    kept = statement.books(inputs, policy, entries_of(seed), payouts_of(inputs, seed), refunds_of(seed))
    for entity in BASES:
        whole = stated(kept, entity)
        share = own(kept, entity, whole)
        assert differing(whole, stated(again(share), entity), entity) == []


def entries_of(seed: int) -> pl.DataFrame:
    """Entries on a control account that name documents of a drawn world by record or by number, or nothing."""
    rows = [
        {"entry_ref": f"e{n}", "batch_ref": f"b{n % 5}", "entity_code": ("E100", "E200")[n % 2], "currency": ("USD", "EUR")[n % 3 // 2], "account_code": "1100",
         "record_type": ("ri", "ra", "rp")[(n + seed) % 3], "record_ref": str(n % 8) if n % 4 else None, "document_number": ("UW1", "EW1", "CM1", None)[n % 4],
         "posted_on": datetime(2026, 8 + n % 3, 1 + n).date(), "amount_minor": 1000 - 100 * (n % 3)}
        for n in range(seed % 7, 20)
    ]  # fmt: skip
    return completed("core.gl_entries", pl.DataFrame(rows, infer_schema_length=None))


def payouts_of(inputs: Any, seed: int) -> Payouts:
    """Lines that several payments of a drawn world may be, one of nobody, and totals that do not add up."""
    moved = inputs.payments.select("storefront", "gateway_ref", "amount_minor", "occurred_at")
    lines = moved.with_row_index("n").select(
        "storefront", payout_ref=pl.concat_str(pl.lit("po"), pl.col("n") % 2), line_ref=pl.concat_str(pl.lit("l"), "n"), currency=pl.lit("USD"),
        payment_ref=pl.when(pl.col("n") % 3 < 2).then("gateway_ref").otherwise(pl.lit("nobody's")), kind_code=pl.lit("charge"), paid_out_at="occurred_at",
        gross_minor="amount_minor", fee_minor=pl.lit(seed % 3, pl.Int64), stated_total_minor=pl.lit(1000, pl.Int64),
    ).with_columns(net_minor=pl.col("gross_minor") - pl.col("fee_minor"))  # fmt: skip
    return Payouts(
        completed("core.payout_lines", lines) if lines.height else ALL["core.payout_lines"].empty(),
        ALL["mappings.fees"].empty(),
        ALL["mappings.rates"].empty(),
    )


def refunds_of(seed: int) -> Refunds:
    """Refunds of both entities and of none, two of one reference across entities, journals of some, and entries by hand."""
    events = [
        {"order_ref": f"o{n}", "event_ref": f"t{n}", "event_code": "credit", "payment_ref": "p", "gateway_ref": f"g{n // 2 + seed % 2}", "entity_code": ("E100", "E200", None)[n % 3],
         "currency": "USD", "owed_on": datetime(2026, 9, 1 + n).date(), "total_minor": 100 * (n + 1), "sequence_no": 1}
        for n in range(8)
    ]  # fmt: skip
    owed = completed("recon.owed", pl.DataFrame(events, infer_schema_length=None))
    journals = pl.DataFrame(
        [
            {"document_id": f"J{n}", "storefront": "shop", "order_ref": f"o{n + 1}", "event_ref": f"t{n + 1}", "order_number": None, "entity_code": ("E200", "E100")[n % 2],
             "currency": "USD", "state_code": "accepted", "intacct_key": f"k{n}", "changed_at": datetime(2026, 9, 1, tzinfo=UTC)}
            for n in range(seed % 4, 9, 2)
        ],
        schema_overrides={"order_number": pl.String},
    )  # fmt: skip
    lines = journals.select("document_id", account_code=pl.lit("1010"), amount_minor=pl.lit(-300, pl.Int64))
    booked = [
        {"entry_ref": f"x{n}", "batch_ref": f"k{n}" if n % 2 else f"h{n}", "account_code": "1010", "posted_on": datetime(2026, 9, 2 + n).date(), "amount_minor": -300, "currency": "USD",
         "entity_code": ("E100", "E200")[n % 2], "record_ref": None, "reference": f"g{n // 2}", "document_number": None}
        for n in range(8)
    ]  # fmt: skip
    entries = completed("core.gl_entries", pl.DataFrame(booked, infer_schema_length=None))
    return Refunds.of(
        decimals=2,
        read_at=datetime(2026, 10, 1, tzinfo=UTC),
        owed=owed,
        journals=journals,
        lines=lines,
        entries=entries,
        unplanned=ALL["ops.unplanned"].empty(),
        chargebacks=journals.select("storefront", "event_ref").head(1),
        clearing=pl.DataFrame({"clearing_account_code": ["1010"]}),
    )


# --- packs -------------------------------------------------------------------------------------------------------
DRAWING = PLAIN + """
B2    | eu    | 2026-09-05 15:00 | 2026-09-06 15:00 | 8_800       | 2026-09-06  | 8_800         | 2026-09-05 15:00 | 2026-09-06
A6    | us    | 2026-09-05 15:00 | 2026-09-06 15:00 | 6_600       | 2026-09-06  | 6_600         | 2026-09-05 15:00 | 2026-09-06
A7    | us    | 2026-09-07 15:00 | 2026-09-08 15:00 | 7_700       | 2026-09-08  | 7_700         | 2026-09-07 15:00 | 2026-09-08
B7    | eu    | 2026-09-07 15:00 | 2026-09-08 15:00 | 9_900       | 2026-09-08  | 9_900         | 2026-09-07 15:00 | -
"""  # fmt: skip
NAMES = {"A6": "Wrong-Entity", "A7": "Both-Paid-1", "B7": "Both-Paid-2", "A1": "Only-US-1", "A2": "Only-US-2", "A3": "Only-US-3", "B1": "Only-EU-1", "B2": "Only-EU-2"}  # fmt: skip
IN_BOTH = {"Wrong-Entity", "Both-Paid-1", "Both-Paid-2"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two entities of one shop: one order's invoice stands in the other entity, one receipt pays orders of both, all else is apart."""
    house = house_in(
        tmp_path_factory.mktemp("own"),
        DRAWING,
        settings={"reconciliation": {"control_accounts": ["1100"]}},
    )
    post_to_ledger(house, missing="2", late="1")
    pay_out(house, "A1", "A2", "A3", "B2", short="A2")
    with house.warehouse.read() as session:
        tables = {
            name: session.fetch(name)
            for name in ("core.orders", "core.ar_invoices", "core.ar_applications", "ops.findings")
        }
    named = pl.col("order_ref").replace_strict(NAMES, default=pl.col("order_ref"))
    tables["core.orders"] = tables["core.orders"].with_columns(
        order_number=named, customer_name=pl.concat_str(pl.lit("Customer of "), named)
    )
    invoices = tables["core.ar_invoices"]
    said = pl.col("reference").replace_strict(NAMES, default=pl.col("reference"))
    tables["core.ar_invoices"] = invoices.with_columns(
        reference=said,
        entity_code=pl.when(pl.col("reference") == "A6").then(pl.lit("E200")).otherwise("entity_code"),
    )
    other = invoices.filter(pl.col("reference") == "B7")["invoice_ref"][0]
    applied = tables["core.ar_applications"]
    more = applied.filter(pl.col("application_ref") == "aA7").with_columns(
        application_ref=pl.lit("aB7"), invoice_ref=pl.lit(other), amount_minor=pl.lit(100, pl.Int64)
    )
    tables["core.ar_applications"] = pl.concat([applied, more])
    found = [
        {"rule_code": "order_total", "severity": "hold", "storefront": "shop", "order_ref": one, "order_number": NAMES[one], "subject_ref": one,
         "sentence": f"{NAMES[one]} does not add up.", "run_id": "20260101T000000.000Z-000009"}
        for one in ("A2", "B1")
    ]  # fmt: skip
    tables["ops.findings"] = completed("ops.findings", pl.DataFrame(found))
    run = {"run_id": "20260101T000000.000Z-000009", "stage": "check", "state_code": "done"}
    tables["ops.runs"] = completed("ops.runs", pl.DataFrame([run]))
    with house.warehouse.write(run_id="20260101T000000.000Z-000004") as session:
        for name, frame in tables.items():
            mode: Any = "append" if name.startswith("ops.") else "replace"
            session.publish(name, frame, key=ALL[name].key, mode=mode)
    reconcile(house, run_id="20260102T000000.000Z-000001")
    pair(house, "unmatch", "A2", ["UA2"], payments=False, reason="Only-US-2 is another", author="Ana")
    close_period(house, period="2026-09")
    return house


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Everything a pack says, file by file: Parquet and workbook by their cells."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".parquet":
            yield name, pl.read_parquet(path).write_csv()
        elif path.suffix == ".xlsx":
            book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()))
            cells = (str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)
            yield name, "\n".join(cells)
        else:
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("entity", "mine", "theirs"), [("E100", "US", "EU"), ("E200", "EU", "US")])
def test_a_pack_holds_its_entity_and_what_could_be_matched_with_it_and_nothing_else(
    house: House, entity: str, mine: str, theirs: str
) -> None:
    folder = house.reports / f"close/{entity}/2026-09/r1"
    every = dict(texts(folder))
    leaks = {name for name, text in every.items() if f"Only-{theirs}" in text}
    assert leaks == set()
    orders = Pack(folder).frame("inputs/orders.parquet")
    there = {one for one in orders["order_number"] if "-" in one}
    assert there == IN_BOTH | {one for one in NAMES.values() if one.startswith(f"Only-{mine}")}
    for name in ("reconciliation.xlsx", "reconciliation.html", "data/held.parquet"):
        assert f"Only-{mine}" in every[name]
    assert ("Only-US-2 is another" in every["data/decisions.parquet"]) == (entity == "E100")
    assert not_proved(folder) == []


def test_a_pack_says_how_much_of_the_company_it_holds(house: House) -> None:
    pack = Pack(house.reports / "close/E200/2026-09/r1")
    extent = pack.json("close.json")["extent"]
    rows = {name: (landed, held) for name, landed, held in extent["rows"]}
    assert extent["is_own"]
    assert rows["orders"] == (10, 5)
    assert rows["stores"][0] == rows["stores"][1]
    assert rows["payout_lines"] == (4, 1)
    assert rows["payout_beyond"][0] is None
    page = pack.read("reconciliation.html").decode()
    assert "Rows of each input: of the company, in this pack, left out." in page
    assert html.escape(extent["said"], quote=False) in page.replace("&#39;", "'")
    book = openpyxl.load_workbook(io.BytesIO(pack.read("reconciliation.xlsx")), data_only=True)
    cells = [row[:4] for row in book["Completeness"].iter_rows(values_only=True)]
    assert ("orders", 10, 5, 5) in cells


def test_trade_of_another_entity_voids_no_signature(tmp_path: Path) -> None:
    house = house_in(tmp_path, PLAIN)
    close_period(house, period="2026-09", entity="E100")
    fill(house, PLAIN.replace("11_900", "12_000"))
    with house.warehouse.read() as session:
        assert 12_000 in session.fetch("core.orders", where={"order_ref": "B1"})["total_minor"]
    (one,) = close_period(house, period="2026-09", entity="E100")["closes"]
    assert (one["revision"], one["is_new"]) == (1, False)


def test_a_share_that_gave_other_figures_is_not_packed_and_the_pack_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = flows.closing.entity_pack.own

    def short(*given: Any) -> Own:
        share = real(*given)
        return replace(share, inputs=replace(share.inputs, ar_invoices=share.inputs.ar_invoices.clear()))  # type: ignore[union-attr]

    monkeypatch.setattr(flows.closing.entity_pack, "own", short)
    house = house_in(tmp_path, PLAIN)
    close_period(house, period="2026-09", entity="E100")
    folder = house.reports / "close/E100/2026-09/r1"
    facts = Pack(folder).json("close.json")
    assert not facts["extent"]["is_own"]
    assert "ALL entities" in facts["extent"]["said"]
    assert set(Pack(folder).frame("inputs/orders.parquet")["order_ref"]) >= {"A1", "B1"}
    assert not_proved(folder) == []


def test_a_company_of_one_entity_packs_everything(tmp_path: Path) -> None:
    house = house_in(tmp_path, PLAIN, settings={"entities": SETTINGS["entities"][:1]})
    close_period(house, period="2026-09", entity="E100")
    pack = Pack(house.reports / "close/E100/2026-09/r1")
    assert "extent" not in pack.json("close.json")
    assert "inputs/invoice_prefixes.parquet" not in pack.names
    assert set(pack.frame("inputs/orders.parquet")["order_ref"]) >= {"A1", "B1"}
    assert not_proved(pack.path) == []
