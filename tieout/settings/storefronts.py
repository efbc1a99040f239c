"""The sections `[storefronts.NAME]`: what all storefronts have in common, and a class per kind with its own settings.

A further kind is a further class here and a place in `Storefront`; which code serves it is said in `flows/storefronts/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tieout.settings.section import Basis, Section


class CommonStorefront(Section):
    """What every storefront has, whatever its kind. `cutoff` is the basis on which its sales are recognised; it is printed on every report."""

    needed: ClassVar[tuple[str, ...]] = ()
    """Settings that must be given although they have a default, so that all that lack are said in one sentence."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Settings that name where a secret is found."""

    kind: str
    cutoff: Basis = "shipped"
    lag_minutes: Annotated[int, Field(ge=0, le=10_080)] = 5
    writes_stock: bool = False

    @model_validator(mode="after")
    def _complete(self) -> CommonStorefront:
        missing = [name for name in self.needed if not getattr(self, name)]
        if missing:
            raise ValueError(f"a {self.kind} storefront needs {', '.join(missing)}")
        return self


class CommercetoolsStorefront(CommonStorefront):
    """A commercetools project, read with an API client of its own."""

    needed: ClassVar[tuple[str, ...]] = ("api_url", "auth_url", "project_key", "client_id", "client_secret")
    secrets: ClassVar[tuple[str, ...]] = ("client_secret",)

    kind: Literal["commercetools"]
    api_url: str = ""
    auth_url: str = ""
    project_key: str = ""
    client_id: str = ""
    client_secret: str = ""
    page_size: Annotated[int, Field(ge=1, le=500)] = 500
    tender_slugs: tuple[str, ...] = ("gift-card", "store-credit")
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    sync_channel: str = ""


class FilesStorefront(CommonStorefront):
    """Orders, lines, payments, refunds and stock in plain files."""

    needed: ClassVar[tuple[str, ...]] = ("paths",)

    kind: Literal["files"]
    paths: Mapping[str, str] = {}
    column_map: Path | None = None


Storefront = Annotated[CommercetoolsStorefront | FilesStorefront, Field(discriminator="kind")]
"""One storefront of any kind: `kind` says which."""
