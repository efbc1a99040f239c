"""Plain files: how they are found and staged. Nothing can be written to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from flows.storefronts.kind import Kind, Transform

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.storefronts.files import Files
    from tieout.settings.storefronts import FilesStorefront


class FilesKind(Kind):
    """Which subjects there are is a matter of which paths are configured."""

    name: ClassVar[str] = "files"
    subjects: ClassVar[tuple[str, ...]] = ("orders", "lines", "payments", "refunds", "payouts", "stock")
    tables: ClassVar[tuple[str, ...]] = (
        "core.orders",
        "core.order_lines",
        "core.order_tenders",
        "core.payments",
        "core.payout_lines",
        "core.stock",
    )
    from_files: ClassVar[bool] = True

    def courier(self, house: House, name: str, front: FilesStorefront) -> Files:
        """A reader of the configured paths."""
        from tieout.connectors.storefronts.files import Files
        from tieout.connectors.storefronts.files_map import ColumnMap

        sources = {
            subject: str(house.settings.path(Path(pattern))) for subject, pattern in front.paths.items()
        }
        chart = ColumnMap.load(house.settings.path(front.column_map)) if front.column_map else None
        return Files(sources, chart)

    def transforms(
        self, house: House, run_id: str, name: str, front: FilesStorefront
    ) -> Mapping[str, Transform]:
        """Subjects that have paths."""
        from flows.plain.storefront import staging_transforms

        return staging_transforms(house, run_id, name, front)

    def examine(self, courier: Files) -> tuple[Sequence[str], str]:
        """Which files were found."""
        found = courier.subjects()
        return ([] if found else ["files for nothing"]), f"files for {', '.join(found)}"
