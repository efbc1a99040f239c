"""Which code serves which kind of storefront: the one place where a kind is registered.

A kind is a module of this folder with a `Kind`; everything that reads, stages, publishes to or examines a storefront asks it here.
"""

from __future__ import annotations

from collections.abc import Mapping

from flows.storefronts.clarity import ClarityKind
from flows.storefronts.commercetools import CommercetoolsKind
from flows.storefronts.files import FilesKind
from flows.storefronts.kind import Kind, StockUpdate, Transform
from flows.storefronts.magento import MagentoKind
from flows.storefronts.xcart import XCartKind
from flows.storefronts.xcart_addon import XCartAddonKind

__all__ = ["KINDS", "Kind", "StockUpdate", "Transform"]

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        CommercetoolsKind(),
        FilesKind(),
        MagentoKind(),
        XCartKind(),
        XCartAddonKind(),
        ClarityKind(),
    )
}
"""Kind by the word of the configuration. The class of its settings stands in tieout/settings/storefronts.py."""
