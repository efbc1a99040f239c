"""A warehouse in a fresh folder with the tables of the contracts, and drawn documents for its outbox."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from outbox_desk import Desk

from checks.contracts import ALL
from tieout.warehouse.store import Warehouse

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def contract_tables() -> dict[str, pl.DataFrame]:
    return {
        name: table.empty()
        for name, table in ALL.items()
        if name.startswith(("ops.", "out.", "core.", "recon."))
    }


@pytest.fixture(scope="session")
def ensured_folder(
    tmp_path_factory: pytest.TempPathFactory, contract_tables: dict[str, pl.DataFrame]
) -> Path:
    """A folder with all tables made once; each test gets a copy of its own."""
    folder = tmp_path_factory.mktemp("ensured") / "data"
    Warehouse(folder).ensure(contract_tables)
    return folder


@pytest.fixture
def warehouse(tmp_path: Path, ensured_folder: Path) -> Warehouse:
    shutil.copytree(ensured_folder, tmp_path / "data")
    return Warehouse(tmp_path / "data", lock_seconds=5)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def desk(warehouse: Warehouse, papers: SimpleNamespace, noon: datetime) -> Iterator[Desk]:
    with warehouse.write(run_id="test") as session:
        yield Desk(session, papers, noon)


def _document(document_id: str, kind: str = "invoice", **over: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "document_id": document_id,
        "kind_code": kind,
        "revision": 1,
        "storefront": "shop",
        "order_ref": None if kind == "customer" else f"order-{document_id}",
        "order_number": None if kind == "customer" else f"N-{document_id}",
        "event_ref": f"event-{document_id}",
        "entity_code": "" if kind == "customer" else "US",
        "number": f"NO-{document_id}",
        "customer_id": "GUEST",
        "document_on": None if kind == "customer" else date(2026, 11, 1),
        "currency": "" if kind == "customer" else "USD",
        "total_minor": 0 if kind == "customer" else 1000,
        "planned_at": NOON,
        "run_id": "plan-1",
        **over,
    }
    row["content_sha256"] = hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).hexdigest()
    return row


def _line(document_id: str, **over: Any) -> dict[str, Any]:
    return {"document_id": document_id, "line_no": 1, "amount_minor": 1000, "account_code": "4000", **over}


def _frames(
    documents: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    return (
        pl.DataFrame(list(documents), schema=ALL["out.documents"].polars_schema),
        pl.DataFrame(list(lines), schema=ALL["out.document_lines"].polars_schema),
    )


@pytest.fixture(scope="session")
def papers() -> SimpleNamespace:
    """Builders of plan rows: `document(id, kind, **columns)`, `line(id, **columns)`, `frames(documents, lines)`."""
    builders: dict[str, Callable[..., Any]] = {"document": _document, "line": _line, "frames": _frames}
    return SimpleNamespace(**builders)
