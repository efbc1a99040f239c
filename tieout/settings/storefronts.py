"""The sections `[storefronts.NAME]`: what all storefronts have in common, and a class per kind with its own settings.

A further kind is a further class here and a place in `Storefront`; which code serves it is said in `flows/storefronts/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tieout.settings.section import Basis, Section
from tieout.settings.writing import Field as OwnedField


class CommonStorefront(Section):
    """What every storefront has, whatever its kind. `cutoff` is the basis on which its sales are recognised; it is printed on every report."""

    needed: ClassVar[tuple[str, ...]] = ()
    """Settings that must be given although they have a default, so that all that lack are said in one sentence."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Settings that name where a secret is found."""
    bases: ClassVar[tuple[str, ...]] = ("placed", "captured", "shipped")
    """Bases its orders can say an instant for."""

    kind: str
    cutoff: Basis = "shipped"
    lag_minutes: Annotated[int, Field(ge=0, le=10_080)] = 5
    writes_stock: bool = False
    writes_back: tuple[OwnedField, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> CommonStorefront:
        missing = [name for name in self.needed if not getattr(self, name)]
        if missing:
            raise ValueError(f"a {self.kind} storefront needs {', '.join(missing)}")
        if self.cutoff not in self.bases:
            raise ValueError(
                f"a {self.kind} storefront does not say when a sale was {self.cutoff}; choose {', '.join(self.bases)} as its cutoff"
            )
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
    catalogue: bool = False


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


class XCartAddonStorefront(CommonStorefront):
    """An X-Cart shop of 5.0 to 5.4, read through its REST API add-on."""

    needed: ClassVar[tuple[str, ...]] = ("shop_url", "api_key", "currency")
    secrets: ClassVar[tuple[str, ...]] = ("api_key",)

    kind: Literal["xcart_addon"]
    shop_url: str = ""
    api_key: str = ""
    currency: str = ""
    page_size: Annotated[int, Field(ge=1, le=1000)] = 100
    schema_parameter: str = "_schema"
    payments_look_back_days: Annotated[int, Field(ge=0, le=366)] = 14
    store: str = ""
    statuses: Mapping[str, str] = {}
    untaxed: Literal["hold", "accept"] = "hold"
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    test_emails: tuple[str, ...] = ("@example.test",)


class ClarityStorefront(CommonStorefront):
    """A Clarity eCommerce shop, spoken to as a profile says: a shipped one by name, or a TOML file beside this one."""

    needed: ClassVar[tuple[str, ...]] = ("api_url", "client_secret")
    secrets: ClassVar[tuple[str, ...]] = ("client_secret",)

    kind: Literal["clarity"]
    api_url: str = ""
    profile: str = "seed"
    client_id: str = ""
    client_secret: str = ""
    page_size: Annotated[int, Field(ge=1, le=10_000)] | None = None
    store: str = ""
    tax_included: bool = False
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)


class FilesStorefront(CommonStorefront):
    """Orders, lines, payments, refunds and stock in plain files."""

    needed: ClassVar[tuple[str, ...]] = ("paths",)

    kind: Literal["files"]
    paths: Mapping[str, str] = {}
    column_map: Path | None = None


class MagentoStorefront(CommonStorefront):
    """A Magento 2 or Adobe Commerce shop. `sign_in` says how requests are authorised; each way has settings of its own."""

    bases: ClassVar[tuple[str, ...]] = ("placed", "captured", "shipped", "invoiced")
    secrets: ClassVar[tuple[str, ...]] = (
        "consumer_secret", "access_token", "access_token_secret", "password", "client_secret",
    )  # fmt: skip

    kind: Literal["magento"]
    base_url: str = ""
    store_code: str = "all"
    sign_in: Literal["signed", "bearer", "admin", "client_credentials"] = "signed"
    consumer_key: str = ""
    consumer_secret: str = ""
    access_token: str = ""
    access_token_secret: str = ""
    user_name: str = ""
    password: str = ""
    token_hours: Annotated[float, Field(gt=0, le=8760)] = 4
    token_url: str = "https://ims-na1.adobelogin.com/ims/token/v3"  # noqa: S105  (an address)
    client_id: str = ""
    client_secret: str = ""
    organisation: str = ""
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 300
    stock_batch: Annotated[int, Field(ge=1, le=5_000)] = 20
    stock_in_bulk: bool = False
    bulk_wait_seconds: Annotated[float, Field(ge=0, le=3600)] = 300
    price_stores: Mapping[str, int] = {}
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
    test_email_suffixes: tuple[str, ...] = ()
    tax_included_stores: tuple[str, ...] = ()
    customer_number_attribute: str = ""

    @property
    def needed(self) -> tuple[str, ...]:  # type: ignore[override]
        """What this way of signing in needs."""
        ways = {
            "signed": ("consumer_key", "consumer_secret", "access_token", "access_token_secret"),
            "bearer": ("access_token",),
            "admin": ("user_name", "password"),
            "client_credentials": ("token_url", "client_id", "client_secret", "organisation"),
        }
        return ("base_url", *ways[self.sign_in])


Storefront = Annotated[
    CommercetoolsStorefront
    | FilesStorefront
    | MagentoStorefront
    | XCartStorefront
    | XCartAddonStorefront
    | ClarityStorefront,
    Field(discriminator="kind"),
]
"""One storefront of any kind: `kind` says which."""
