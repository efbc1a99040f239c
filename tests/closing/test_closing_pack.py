"""The sealed pack: proved as it is, and every single changed byte found and named; the workbook recomputed by two engines, the page looked at."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from closing_house import PLAIN, house_in, pay_out, post_to_ledger
from forged_packs import forged, not_proved

from flows.close import close_period
from flows.closing.verifying import verify
from flows.comparing.deciding import accept
from flows.reconcile import reconcile
from tieout.errors import InputError
from tieout.reports.closing import FORMER, CloseReport, canonical, content_of, text_hash
from tieout.reports.pack import MANIFEST, POLICY, Pack, write_pack, zipped

pytestmark = pytest.mark.usefixtures("kept_attached")

ROWS = [f"K{at:02}   | us    | 2026-09-{at % 27 + 1:02} 15:00 | 2026-09-{at % 27 + 2:02} 15:00 | {1000 + at}        | 2026-09-{at % 27 + 2:02}  | {1000 + at}          | -                | -" for at in range(30)]  # fmt: skip


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of a small shop, closed: the folder of the packs."""
    house = house_in(
        tmp_path_factory.mktemp("packs"),
        PLAIN + "\n".join(ROWS),
        settings={
            "reconciliation": {
                "control_accounts": ["1100"],
                "write_off": {"accounts": {"small": "6900"}, "cap_minor": {"USD": 100_000}},
            }
        },
    )
    post_to_ledger(house, missing="2", late="1")
    pay_out(house, "A1", "A2", "A3", short="A2")
    reconcile(house, run_id="20260102T000000.000Z-000001")
    accept(
        house,
        "A3",
        payments=False,
        entity=None,
        currency=None,
        reason="gone",
        reason_code="small",
        author="Ana",
    )
    for period in ("2026-09", "2026-10"):
        close_period(house, period=period, entity="E100")
    return house.reports / "close/E100"


def test_a_pack_is_proved_from_folder_and_zip_alone_and_the_chain_with_the_pack_before(
    packs: Path, tmp_path: Path
) -> None:
    alone = shutil.copy(packs / "2026-10/r1.zip", tmp_path / "pack.zip")
    assert not_proved(Path(alone)) == []
    assert not_proved(packs / "2026-10/r1", previous=packs / "2026-09/r1.zip") == []
    assert (
        "not the one this close was chained to"
        in not_proved(packs / "2026-10/r1", previous=packs / "2026-10/r1")[0]
    )
    with pytest.raises(InputError, match="no pack"):
        verify(tmp_path / "nothing")


def test_the_control_account_is_tied_signed_printed_and_proved_again(packs: Path, tmp_path: Path) -> None:
    pack = Pack(packs / "2026-09/r1")
    (sums,) = pack.frame("data/control.parquet").to_dicts()
    listed = pack.frame("data/control_differences.parquet")
    assert listed.select("document_ref", "outcome_code", "delta_minor").rows() == [("112", "gl_missing", 5000), ("111", "cut_off", 20000)]  # fmt: skip
    assert (sums["difference_minor"], sums["error_minor"], sums["timing_minor"]) == (25000, 5000, 20000)
    assert sums["ageing_minor"] == pack.frame("data/ageing.parquet")["open_minor"].sum() == sums["subledger_minor"]  # fmt: skip
    said = "Differs from the general ledger, control account 1100: 1 error and 1 difference of dates as of 2026-09-30."
    assert said in pack.read("reconciliation.html").decode()
    book = openpyxl.load_workbook(packs / "2026-09/r1/reconciliation.xlsx", data_only=True)
    assert said in {cell.value for cell in book["Cover"]["A"]}
    assert any(
        "control accounts tied again" in one.sentence for one in verify(packs / "2026-09/r1")["findings"]
    )
    more = pack.frame("inputs/gl_entries.parquet").with_columns(pl.col("amount_minor") + 1)
    found = not_proved(forged(packs, tmp_path / "more", input_gl_entries=more))
    assert any("data/control.parquet is not what the packed inputs give" in one for one in found)


def test_payouts_and_drafts_are_signed_printed_and_proved_again(packs: Path, tmp_path: Path) -> None:
    pack = Pack(packs / "2026-09/r1")
    rows = pack.frame("data/settlements.parquet")
    told = dict(rows.filter("is_payment").select("order_ref", "outcome_code").iter_rows())
    assert told["A2"] == "settlement_amount"
    assert told["A3"] == "tender_fee"
    assert told["A1"] == "tender_fee", "it moved in August and its payout is of September"
    assert (told["A4"], "A5" in told) == ("not_settled", False)
    (draft,) = pack.frame("data/drafts.parquet").to_dicts()
    lines = pack.frame("data/draft_lines.parquet")
    assert (draft["kind_code"], draft["state_code"], draft["amount_minor"]) == ("journal", "drafted", 7_000)
    assert lines["amount_minor"].sum() == 0
    named = pack.frame("data/proofs.parquet")["name"].unique().to_list()
    assert {"drafted journals balance", "settlement rows hold every payout line"} <= set(named)
    page = pack.read("reconciliation.html").decode()
    assert 'id="payouts"' in page
    assert draft["draft_id"] in page
    book = openpyxl.load_workbook(packs / "2026-09/r1/reconciliation.xlsx", data_only=True)
    assert draft["draft_id"] in {cell.value for cell in book["Drafts"]["A"]}
    assert "settlement amount" in {cell.value for cell in book["Payouts"]["A"]}
    more = pack.frame("inputs/payout_lines.parquet").with_columns(pl.col("fee_minor") + 1)
    found = not_proved(forged(packs, tmp_path / "fees", input_payout_lines=more))
    assert any("data/settlements.parquet is not what the packed inputs give" in one for one in found)
    softer = pack.frame("data/drafts.parquet").with_columns(amount_minor=pl.lit(1, pl.Int64))
    found = not_proved(forged(packs, tmp_path / "drafts", drafts=softer))
    assert any("data/drafts.parquet" in one for one in found)


def test_a_pack_of_the_former_form_is_proved_as_what_it_is(packs: Path, tmp_path: Path) -> None:
    """The form before the general ledger: fifteen signed tables, and no entries among the inputs."""
    folder = tmp_path / "r1"
    shutil.copytree(packs / "2026-09/r1", folder)
    gone = ("control", "control_differences", "settlements", "drafts", "draft_lines", "refund_entries")
    pack = Pack(folder)
    proofs = pack.frame("data/proofs.parquet").filter(
        ~pl.col("name").str.contains("subledger|settlement|drafted")
    )
    proofs.write_parquet(folder / "data/proofs.parquet")
    added = ("gl_entries", "payout_lines", "fees", "rates")
    for name in (*(f"data/{one}.parquet" for one in gone), *(f"inputs/{one}.parquet" for one in added)):
        (folder / name).unlink()
    decisions = pack.frame("inputs/decisions.parquet").drop("account_code", "reason_code", "draft_id")
    decisions.write_parquet(folder / "inputs/decisions.parquet")
    pack = Pack(folder)
    manifest, facts = pack.json(MANIFEST), pack.json("close.json")
    tables = {**pack.report().tables, "proofs": proofs}
    inputs = {path.stem: pl.read_parquet(path) for path in sorted((folder / "inputs").iterdir())}
    content = content_of(facts, tables, inputs, pack.read(POLICY).decode(), names=FORMER["tieout close 1"])
    digest = text_hash(canonical(content))
    del facts["ledger"], facts["extent"]
    facts["sign_offs"] = [{**one, "content_sha256": digest} for one in facts["sign_offs"]]
    (folder / "close.json").write_text(canonical(facts))
    left = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    manifest |= {
        "format": "tieout close 1", "content": content, "content_sha256": digest, "sign_offs": facts["sign_offs"],
        "files": {name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for name, path in sorted(left.items())},
    }  # fmt: skip
    del manifest["manifest_sha256"]
    (folder / MANIFEST).write_text(canonical({**manifest, "manifest_sha256": text_hash(canonical(manifest))}))
    found = verify(folder)
    assert not_proved(folder) == []
    assert any("former format 'tieout close 1'" in one.sentence for one in found["findings"])
    assert any("the same 15 tables" in one.sentence for one in found["findings"])


def test_one_changed_byte_in_any_file_is_found_and_the_file_named(packs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r1"
    shutil.copytree(packs / "2026-10/r1", folder)
    draw = random.Random(7)
    names = Pack(folder).names
    assert len(names) > 40
    for name in names:
        path = folder / name
        whole = path.read_bytes()
        for at in {0, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(3))} if whole else ():
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << draw.randrange(8))]) + whole[at + 1 :])
            faults = Pack(folder).faults()
            assert any(fault.startswith(f"{name}:") for fault in faults), (name, at, faults)
        path.write_bytes(whole + b" ")
        assert any(fault.startswith(f"{name}:") for fault in Pack(folder).faults()), name
        path.write_bytes(whole)
    assert Pack(folder).faults() == []


def test_one_changed_byte_anywhere_in_the_zip_is_found(packs: Path, tmp_path: Path) -> None:
    whole = (packs / "2026-09/r1.zip").read_bytes()
    path = tmp_path / "r1.zip"
    draw = random.Random(11)
    ends = range(len(whole) - 400, len(whole), 7)  # the directory of the archive, which belongs to no file
    for at in {0, 10, 30, *ends, *(draw.randrange(len(whole)) for _ in range(60))}:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << draw.randrange(8))]) + whole[at + 1 :])
        assert Pack(path).faults(), at
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert Pack(path).faults(), cut
    path.write_bytes(whole + b"x")
    assert Pack(path).faults()


def test_a_missing_and_a_foreign_file_are_named(packs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r1"
    shutil.copytree(packs / "2026-09/r1", folder)
    (folder / "data/ageing.parquet").unlink()
    (folder / "extra.txt").write_text("x")
    assert not_proved(folder) == [
        "data/ageing.parquet: is missing",
        "extra.txt: was not there when the pack was sealed",
    ]


def test_a_forgery_with_every_hash_right_fails_because_the_inputs_give_something_else(
    packs: Path, tmp_path: Path
) -> None:
    pack = Pack(packs / "2026-09/r1")
    orders = pack.frame("data/orders.parquet")
    hidden = orders.with_columns(outcome_code=pl.lit("matched"), family_code=pl.lit("matched"))
    found = not_proved(forged(packs, tmp_path / "hidden", orders=hidden))
    assert len(found) == 1
    assert "data/orders.parquet is not what the packed inputs give" in found[0]
    assert "row 1, outcome_code: matched, computed cut_off" in found[0]
    softened = pack.frame("inputs/ar_invoices.parquet").with_columns(pl.col("total_minor") + 1)
    # What was compared for an honest pack is never taken for a forged one.
    compared: dict[str, Any] = {}
    assert not_proved(packs / "2026-09/r1", compared=compared) == []
    found = not_proved(forged(packs, tmp_path / "softened", input_ar_invoices=softened), compared=compared)
    assert any("data/orders.parquet" in one for one in found)
    assert len(compared) == 2


def test_a_signature_on_other_content_is_not_proved(packs: Path, tmp_path: Path) -> None:
    pack = Pack(packs / "2026-09/r1")
    report = pack.report()
    stranger = {
        "event": "prepared",
        "author": "Ana",
        "at": "2026-11-03T09:00:00+00:00",
        "reason": "",
        "content_sha256": "0" * 64,
    }
    facts = {**report.facts, "sign_offs": [*report.facts["sign_offs"], stranger], "standing": "prepared"}
    texts = {name: pack.read(name).decode() for name in pack.names if name.startswith("configuration/")}
    write_pack(tmp_path / "r1", CloseReport(facts, report.tables), inputs=pack.frames("inputs"), texts=texts)
    assert "the signature of Ana is bound to other content" in not_proved(tmp_path / "r1")


def test_the_same_pack_written_twice_has_the_same_bytes(packs: Path, tmp_path: Path) -> None:
    pack = Pack(packs / "2026-10/r1")
    texts = {name: pack.read(name).decode() for name in pack.names if name.startswith("configuration/")}
    write_pack(tmp_path / "r1", pack.report(), inputs=pack.frames("inputs"), texts=texts)
    assert (
        (tmp_path / "r1.zip").read_bytes()
        == (packs / "2026-10/r1.zip").read_bytes()
        == zipped(packs / "2026-10/r1")
    )


def test_no_secret_and_no_path_of_this_machine_is_packed(packs: Path) -> None:
    pack = Pack(packs / "2026-09/r1")
    for name in pack.names:
        payload = pack.read(name)
        assert str(packs).encode() not in payload, name
    settings = pack.json("configuration/settings.json")
    assert settings["intacct"]["user_password"] == "env:TIEOUT_INTACCT_USER_PASSWORD", (
        "only where a secret is found, never the secret"
    )


# --- the workbook -----------------------------------------------------------------------------------------------
def formulas_of(path: Path) -> dict[tuple[str, str], float]:
    """Every formula cell of a workbook with the figure the engine stored beside it."""
    live, cached = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    return {
        (sheet.title, cell.coordinate): cached[sheet.title][cell.coordinate].value
        for sheet in live.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if isinstance(cell.value, str) and cell.value.startswith("=")
    }


def test_every_formula_recomputes_to_the_engines_figure(packs: Path) -> None:
    path = packs / "2026-10/r1/reconciliation.xlsx"
    stored = formulas_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import formulas

        solved = formulas.ExcelModel().loads(str(path)).finish().calculate()
    for (sheet, cell), figure in stored.items():
        recomputed = solved[f"'[{path.name}]{sheet.upper()}'!{cell}"].value[0, 0]
        assert float(recomputed) == pytest.approx(float(figure), abs=1e-9), (sheet, cell)
    assert {
        "Roll-forward",
        "Completeness",
        "Base currency",
        "Lead",
        "Tie-out",
        "Waterfall",
        "Control account",
    } <= {sheet for sheet, _cell in stored}
    assert len(stored) > 100


@pytest.mark.skipif(
    shutil.which("soffice") is None,
    reason="no LibreOffice on this machine; the Python engine above has recomputed every formula",
)
def test_libreoffice_opens_it_and_recalculates_the_same(packs: Path, tmp_path: Path) -> None:
    path = packs / "2026-10/r1/reconciliation.xlsx"
    home = f"-env:UserInstallation=file://{tmp_path / 'home'}"
    subprocess.run(["soffice", home, "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path), str(path)], check=True, capture_output=True, timeout=120)  # fmt: skip
    again = openpyxl.load_workbook(tmp_path / path.name, data_only=True)
    for (sheet, cell), figure in formulas_of(path).items():
        assert float(again[sheet][cell].value) == pytest.approx(float(figure), abs=1e-6), (sheet, cell)


def test_the_cover_says_what_an_auditor_asks_first(packs: Path) -> None:
    book = openpyxl.load_workbook(packs / "2026-10/r1/reconciliation.xlsx", data_only=True)
    assert book.sheetnames[:3] == ["Cover", "Completeness", "Lead"]
    cover = {
        row[0].value: row[1].value for row in book["Cover"].iter_rows(min_row=1, max_row=24) if row[0].value
    }
    assert cover["Entity"] == "E100  Example Goods Inc"
    assert cover["Period"] == "2026-10, 2026-10-01 to 2026-10-31"
    assert cover["Cut-off basis of shop"] == "shipped"
    assert cover["Accounting dates in"] == "America/New_York"
    assert cover["Opening from"].startswith("close of 2026-09 r1, content ")
    hashes = {row[3].value for row in book["Completeness"].iter_rows() if len(row) > 3}
    content = Pack(packs / "2026-10/r1").json(MANIFEST)["content"]
    assert {one["sha256"] for one in content["tables"].values()} <= hashes


def test_text_like_a_formula_stays_text_on_every_sheet(packs: Path, tmp_path: Path) -> None:
    pack = Pack(packs / "2026-09/r1")
    report = pack.report()
    nasty = '=HYPERLINK("http://x")'
    register = report.tables["register"].with_columns(
        evidence=pl.lit(nasty), documents=pl.lit("@SUM(A1)"), customer=pl.lit("+1+1")
    )
    facts = {
        **report.facts,
        "name": nasty,
        "sign_offs": [{**one, "reason": nasty, "author": "-2+3"} for one in report.facts["sign_offs"]],
    }
    texts = {name: pack.read(name).decode() for name in pack.names if name.startswith("configuration/")}
    write_pack(
        tmp_path / "r1", CloseReport(facts, {**report.tables, "register": register}), inputs={}, texts=texts
    )
    book = openpyxl.load_workbook(tmp_path / "r1/reconciliation.xlsx")
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert sum(cell.value == nasty for cell in cells) > 3
    assert {cell.data_type for cell in cells if cell.value in (nasty, "@SUM(A1)", "+1+1", "-2+3")} == {"s"}
