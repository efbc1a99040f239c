"""From the bytes of a storefront's orders to core rows, beside the bare exact decode of the same bytes in the same run.

    python tests/bench/bench_storefronts.py [--orders 100000] [--kinds commercetools,magento,xcart,clarity] [--repeat 3]

Payloads are rendered by the stand-in world beforehand. Bare is msgspec reading every member that staging reads, one document at a time,
amounts as exact numbers (whole for commercetools, Decimal for the others), and keeping nothing. Each kind runs in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lib")]
MOST = 2.0
"""Staging may take this many times the bare decode."""
CHUNK = 50_000
NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)


def rendered(kind: str, orders: int) -> Iterator[str]:
    """The orders of one storefront as its courier lands them."""
    from tieout.sandbox.world.payloads import dump
    from tieout.sandbox.world.world import World

    world = World.build(7, orders, (kind,))
    if kind == "commercetools":
        for at in range(len(world.order_list)):
            yield world.order_list.text(at)
        return
    if kind in ("xcart", "clarity"):
        from tieout.sandbox.faults import FaultBoard
        from tieout.sandbox.storefronts.registry import STAND_INS
        from tieout.sandbox.world.catalog import NOW_MS

        stand_in: Any = STAND_INS[kind](world, FaultBoard(), lambda: NOW_MS)
        for line in world.told_by(kind):
            yield stand_in.order_text(line.index)
        return
    from tieout.connectors.storefronts.magento_pages import SUBJECTS, peek, to_records
    from tieout.sandbox.storefronts.magento_shop import Shop

    shop = Shop(world.seed)
    for line in world.told_by(kind):
        raw = dump(shop.order(world.order(line.index))).encode()
        yield to_records([raw], [peek(raw, SUBJECTS["orders"])], keep_personal=("name", "email", "address"))[
            0
        ].payload.decode()


def exact(shape: Any, seen: dict[Any, Any] | None = None, *, amounts: frozenset[str] | None = None) -> Any:
    """The same struct with amounts as decimals in place of their text; `amounts` names them where texts are kept undecoded too."""
    import msgspec

    seen = {} if seen is None else seen
    if shape is msgspec.Raw:
        return Decimal | None
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        if shape not in seen:
            members = msgspec.structs.fields(shape)
            fields = [
                (
                    one.name,
                    str | int | bool | None
                    if one.type is msgspec.Raw and amounts is not None and one.encode_name not in amounts
                    else exact(one.type, seen, amounts=amounts),
                    None,
                )
                for one in members
            ]
            names = {one.name: one.encode_name for one in members}
            seen[shape] = msgspec.defstruct(shape.__name__, fields, rename=names)
        return seen[shape] | None
    origin = get_origin(shape)
    if origin in (list, tuple):
        return list[exact(get_args(shape)[0], seen, amounts=amounts)] | None  # type: ignore[misc]
    if origin is dict:
        return shape
    if get_args(shape) and origin is not None:
        found = [exact(one, seen, amounts=amounts) for one in get_args(shape)]
        whole = found[0]
        for one in found[1:]:
            whole = whole | one
        return whole
    return shape


def bare_and_staging(kind: str) -> tuple[Callable[[list[str]], None], Callable[[Any], Any]]:
    """How payloads of a kind are read bare, and how they are staged."""
    import msgspec

    if kind == "commercetools":
        from transforms.storefronts import commercetools
        from transforms.storefronts.commercetools_payloads import Order

        read = msgspec.json.Decoder(Order).decode
        stage = commercetools.orders
    elif kind == "xcart":
        from transforms.storefronts import xcart
        from transforms.storefronts.xcart_payloads import Order as Sale

        read = msgspec.json.Decoder(exact(Sale)).decode
        stage = xcart.orders
    elif kind == "clarity":
        from tieout.connectors.storefronts import clarity_profile
        from transforms.storefronts import clarity
        from transforms.storefronts.clarity_shapes import shapes_of

        profile = clarity_profile.load("seed")
        policy = clarity.ClaritySettings(
            profile.fields, profile.words.status, shipment_states=profile.words.shipment_states
        )
        money = frozenset(
            [
                "totalAmount",
                "subtotalAmount",
                "shippingAmount",
                "handlingAmount",
                "taxAmount",
                "discountAmount",
                "storeCreditAmount",
                "unitPrice",
                "lineAmount",
                "tax",
                "discount",
                "amount",
                "quantity",
            ]
        )
        read = msgspec.json.Decoder(exact(shapes_of(profile.fields).shape("orders"), amounts=money)).decode
        stage = partial(clarity.orders, settings=policy)
    else:
        from transforms.storefronts import magento
        from transforms.storefronts.magento_payloads import Order as Document

        read = msgspec.json.Decoder(exact(Document)).decode
        stage = magento.orders

    def bare(payloads: list[str]) -> None:
        for payload in payloads:
            # A few of the world's orders are damaged on purpose; both sides meet them.
            with contextlib.suppress(msgspec.DecodeError):
                read(payload)

    return bare, lambda raw: stage(raw, storefront="shop", run_id="bench")


def measured(kind: str, orders: int, repeat: int) -> dict[str, Any]:
    """Best times of both, in turn."""
    import polars as pl

    payloads = list(rendered(kind, orders))
    bare, stage = bare_and_staging(kind)
    bare(payloads[:200])
    stage(landed(pl, payloads[:200]))
    bares, stagings, rows = [], [], 0
    for _ in range(repeat):
        begun = time.process_time()
        bare(payloads)
        bares.append(time.process_time() - begun)
        rows = 0
        spent = 0.0
        for start in range(0, len(payloads), CHUNK):
            raw = landed(pl, payloads[start : start + CHUNK])
            begun = time.process_time()
            staged = stage(raw)
            spent += time.process_time() - begun
            rows += sum(frame.height for frame in staged.frames.values())
        stagings.append(spent)
    return {
        "kind": kind,
        "orders": len(payloads),
        "bytes": sum(map(len, payloads)) // len(payloads),
        "rows": rows,
        "bare_s": min(bares),
        "staging_s": min(stagings),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def landed(pl: Any, payloads: list[str]) -> Any:
    """Raw landing rows."""
    size, at = len(payloads), pl.Datetime("us", "UTC")
    return pl.DataFrame(
        [
            pl.Series("native_ref", [str(number) for number in range(size)]),
            pl.Series("version_no", [1] * size, dtype=pl.Int64),
            pl.Series("updated_at", [NOW] * size, dtype=at),
            pl.Series("payload", payloads, dtype=pl.String),
            pl.Series("payload_sha256", [hashlib.sha256(one.encode()).hexdigest() for one in payloads]),
            pl.Series("problem", [None] * size, dtype=pl.String),
            pl.Series("fetched_at", [NOW] * size, dtype=at),
        ]
    )


def main() -> int:
    """Print one line per kind; 1 if staging takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--kinds", default="commercetools,magento,xcart,clarity")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.orders, options.repeat)))
        return 0
    slow = 0
    for kind in options.kinds.split(","):
        command = [
            sys.executable, __file__, "--one", kind, "--orders", str(options.orders), "--repeat", str(options.repeat),
        ]  # fmt: skip
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ratio = found["staging_s"] / found["bare_s"]
        slow += ratio > MOST
        print(
            f"{kind:<14} {found['orders']:>8,} orders of {found['bytes']:,} bytes → {found['rows']:,} rows   "
            f"bare {found['orders'] / found['bare_s']:>8,.0f}/s   staged {found['orders'] / found['staging_s']:>8,.0f}/s   "
            f"{ratio:.2f} × bare   peak {found['peak_mb']:,} MB",
            flush=True,
        )
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
