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


class XCartStorefront(CommonStorefront):
    """An X-Cart 5.5 shop, read with a key of its API. Policies of reading are those of `transforms.storefronts.xcart_settings`."""

    needed: ClassVar[tuple[str, ...]] = ("api_url", "api_key")
    secrets: ClassVar[tuple[str, ...]] = ("api_key",)

    kind: Literal["xcart"]
    api_url: str = ""
    api_key: str = ""
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    payments_look_back_days: Annotated[int, Field(ge=0, le=366)] = 14
    variants: bool = False
    store: str = ""
    stores: Mapping[str, str] = {}
    statuses: Mapping[str, str] = {}
    tax_key: Literal["name", "code"] = "name"
    untaxed: Literal["hold", "accept"] = "hold"
    shared_tax: Literal["hold", "split"] = "hold"
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    test_emails: tuple[str, ...] = ("@example.test",)


class FilesStorefront(CommonStorefront):
    """Orders, lines, payments, refunds and stock in plain files."""

    needed: ClassVar[tuple[str, ...]] = ("paths",)

    kind: Literal["files"]
    paths: Mapping[str, str] = {}
    column_map: Path | None = None


Storefront = Annotated[
    CommercetoolsStorefront | FilesStorefront | XCartStorefront, Field(discriminator="kind")
]
"""One storefront of any kind: `kind` says which."""
