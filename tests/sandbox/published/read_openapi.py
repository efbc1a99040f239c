"""From an OpenAPI file that a platform publishes to the table of its shapes that stand-ins are held to.

    python tests/sandbox/published/read_openapi.py commercetools openapi.yaml --revision REVISION
    python tests/sandbox/published/read_openapi.py magento admin-schema-2.4.8.yaml --revision REVISION

Writes `PLATFORM.json` beside this file: for each shape that a reply may hold which members there may and must be and of what kind, and
nothing else. Kinds: `text`, `whole`, `number`, `bool`, `any`, the name of a shape, `[kind]` for a list and `{kind}` for a map of names.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SOURCES: Mapping[str, Mapping[str, Any]] = {
    "commercetools": {
        "source": "commercetools/commercetools-api-reference, oas/api/openapi.yaml",
        "roots": {
            "orders": "Order", "payments": "Payment", "customers": "Customer", "inventory": "InventoryEntry", "stores": "Store",
            "channels": "Channel", "customer_groups": "CustomerGroup", "products": "ProductProjection", "prices": "StandalonePrice",
        },
        # What a reference expands to is not asked for.
        "left_out": ("obj",),
        # The file has these as texts; the reference's own words are "any value that the type's definition allows".
        "any": ("FieldContainer", "CustomObject"),
    },
    "magento": {
        "source": "AdobeDocs/commerce-webapi, src/openapi/admin-schema-2.4.8.yaml",
        "roots": {
            "orders": "sales-data-order-interface", "invoices": "sales-data-invoice-interface",
            "creditmemos": "sales-data-creditmemo-interface", "shipments": "sales-data-shipment-interface",
            "transactions": "sales-data-transaction-interface", "customers": "customer-data-customer-interface",
            "products": "catalog-data-product-interface", "source_items": "inventory-api-data-source-item-interface",
            "stores": "store-data-store-interface",
        },
        "left_out": (),
        # Stated as texts; a custom attribute of several choices has a list of them (categories of a product).
        "any": ("framework-attribute-interface.value",),
    },
}  # fmt: skip
PLAIN = {"string": "text", "integer": "whole", "number": "number", "boolean": "bool"}


class Reader:
    """Shapes of one file by name."""

    def __init__(self, document: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        self.named = document.get("definitions") or document["components"]["schemas"]
        self.told = told
        self.shapes: dict[str, Any] = {}
        self.waiting: list[str] = []

    def read(self) -> dict[str, Any]:
        """All shapes that the roots lead to."""
        self.waiting = sorted(self.told["roots"].values())
        while self.waiting:
            name = self.waiting.pop()
            if name not in self.shapes:
                self.shapes[name] = self._shape(name)
        return dict(sorted(self.shapes.items()))

    def _shape(self, name: str) -> Any:
        if name in self.told["any"]:
            return {"is": "any"}
        parts = list(self._parts(self.named[name]))
        for part in parts[-1:]:
            choice = part.get("discriminator")
            if isinstance(choice, dict):
                of = {word: self._named(ref) for word, ref in choice["mapping"].items()}
                return {"by": choice["propertyName"], "of": dict(sorted(of.items()))}
        words = [word for part in parts for word in part.get("enum", ())]
        if words:
            return {"words": words}
        members: dict[str, str] = {}
        must: set[str] = set()
        for part in parts:
            for member, kind in part.get("properties", {}).items():
                if member not in self.told["left_out"]:
                    is_any = f"{name}.{member}" in self.told["any"]
                    members[member] = "any" if is_any else self._kind(kind)
            must |= {one for one in part.get("required", ()) if not one.startswith("/")}
        if not members:
            kinds = {self._kind(part) for part in parts}
            return {"is": kinds.pop() if len(kinds) == 1 else "any"}
        return {"may": dict(sorted(members.items())), "must": sorted(must & members.keys())}

    def _parts(self, said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for part in said.get("allOf", ()):
            yield from self._parts(self.named[part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part)
        if "allOf" not in said:
            yield said

    def _named(self, ref: str) -> str:
        name = ref.rsplit("/", 1)[1]
        self.waiting.append(name)
        return name

    def _kind(self, said: Mapping[str, Any]) -> str:
        if "$ref" in said:
            return self._named(said["$ref"])
        if said.get("type") == "array":
            return f"[{self._kind(said.get('items', {}))}]"
        if isinstance(said.get("additionalProperties"), dict):
            return f"{{{self._kind(said['additionalProperties'])}}}"
        return PLAIN.get(said.get("type", ""), "any")


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("platform", choices=SOURCES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--revision", required=True, help="the commit of the source that the file is of")
    options = parser.parse_args()
    told = SOURCES[options.platform]
    document = yaml.load(
        options.file.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    shapes = Reader(document, told).read()
    table = {"source": told["source"], "revision": options.revision, "roots": told["roots"], "shapes": shapes}
    place = Path(__file__).with_name(f"{options.platform}.json")
    place.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
