"""From the bytes of a storefront's orders to core rows, beside the bare exact decode of the same bytes in the same run.

    python tests/bench/bench_storefronts.py [--orders 100000] [--kinds commercetools,magento,xcart,clarity] [--repeat 3]

Payloads are rendered by the stand-in world beforehand, kept (see `rendering`), and read by mapping files. Bare is msgspec reading every
member that staging reads, one document at a time, amounts as exact numbers (whole for commercetools, Decimal for the others), keeping
nothing, in one process. Staging is measured in one process, and with as many processes beside it as there are processors. The seconds of
processors are those of all processes together; a ratio of seconds by the clock with several processes is not the work it costs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "lib"), str(ROOT / "tests" / "bench")]
MOST = 2.0
"""Staging with all processors may take this many times the bare decode in one process, by the clock."""
RENDERED = 100_000
"""Orders that are rendered at most. What comes of an order does not depend on the others, so that more are the same ones again."""
LEAST = 15_000
"""Orders from which on processes beside are measured."""


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

    return bare, partial(stage, storefront="shop", run_id="bench")


def laid_out(kind: str, orders: int, folder: Path) -> list[Path]:
    """The rendered orders as Arrow files of as many rows as staging takes at a time, which are read by mapping them: reading costs next to
    nothing beside what is measured. Beyond `RENDERED` they are the same orders again."""
    import polars as pl
    import rendering

    from flows.apart.portable import even_rows
    from flows.stage import CHUNK_ROWS

    found = sorted(rendering.storefront(kind, min(orders, RENDERED)).glob("orders-*.parquet"))
    every = pl.concat([pl.scan_parquet(found)] * -(-orders // RENDERED))
    count = int(every.select(pl.len()).collect().item())
    each = even_rows(count, CHUNK_ROWS)
    paths = []
    for start in range(0, count, each):
        paths.append(folder / f"{start:09d}.arrow")
        every.slice(start, each).collect().write_ipc(paths[-1])
    return paths


def alone(kind: str, folder: Path, repeat: int) -> dict[str, Any]:
    """The bare decode and staging in turn, chunk by chunk, in this process: the best of each."""
    import polars as pl

    paths = sorted(folder.glob("*.arrow"))
    bare, stage = bare_and_staging(kind)
    first = pl.read_ipc(paths[0]).head(200)
    bare(first["payload"].to_list())
    stage(first)
    runs = []
    for _ in range(repeat):
        spent = [0.0] * 4
        orders = rows = size = 0
        for path in paths:
            raw = pl.read_ipc(path)
            payloads = raw["payload"].to_list()
            clock, cpu = time.perf_counter(), time.process_time()
            bare(payloads)
            spent[0] += time.perf_counter() - clock
            spent[1] += time.process_time() - cpu
            size += sum(map(len, payloads))
            del payloads
            clock, cpu = time.perf_counter(), time.process_time()
            staged = stage(raw)
            spent[2] += time.perf_counter() - clock
            spent[3] += time.process_time() - cpu
            orders += raw.height
            rows += sum(frame.height for frame in staged.frames.values())
            del staged, raw
        runs.append(spent)
    bare_clock, bare_cpu, clock, cpu = (min(run[at] for run in runs) for at in range(4))
    return {
        "kind": kind, "orders": orders, "bytes": size // orders, "rows": rows, "bare_clock_s": bare_clock, "bare_s": bare_cpu,
        "clock_s": clock, "staging_s": cpu, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def beside(kind: str, folder: Path, repeat: int, count: int) -> dict[str, Any]:
    """Staging as `tieout run stage` does it with processes, this one reading and counting rows."""
    import polars as pl

    from flows.apart.portable import Portable, taken_apart
    from flows.apart.processes import Processes
    from tieout.settings.staging import Staging

    paths = sorted(folder.glob("*.arrow"))
    work: Any = Portable(bare_and_staging(kind)[1])
    clocks, rows = [], 0
    # Started before anything is read: what a process has in memory when it starts another counts for that one, too.
    with Processes(Staging(processes=count, processes_from=1)) as processes:
        some = processes.for_records(1)
        for one in [processes.begin(work.call, pl.read_ipc(paths[0]).head(50), {}) for _ in range(4 * count)]:
            one.result()
        before = time.process_time()
        for _ in range(repeat):
            begun, rows = time.perf_counter(), 0
            raws = (pl.read_ipc(path) for path in paths)
            pairs = ((raw, raw) for raw in raws)
            for _, staged in taken_apart(pairs, work, None, some):  # type: ignore[arg-type]
                rows += sum(frame.height for frame in staged.frames.values())
            clocks.append(time.perf_counter() - begun)
        own = time.process_time() - before
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "processes": count, "rows": rows, "clock_s": min(clocks), "own_s": own / repeat, "theirs_s": (theirs.ru_utime + theirs.ru_stime) / repeat,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "each_peak_mb": theirs.ru_maxrss // 1024,
    }  # fmt: skip


def measured(kind: str, orders: int, repeat: int) -> dict[str, Any]:
    """Both ways, each in a process of its own, over the same files; so few orders that nobody would, in this one."""
    import tempfile

    import rendering

    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as name:
        if orders <= rendering.CHUNK:
            laid_out(kind, orders, Path(name))
            return {**alone(kind, Path(name), repeat), "beside": None}
        given = ["--kinds", kind, "--orders", str(orders), "--repeat", str(repeat), "--folder", name]
        _apart("render", given)
        found = _apart("alone", given)
        found["beside"] = _apart("beside", given) if found["orders"] >= LEAST else None
    return found


def _apart(step: str, given: list[str]) -> Any:
    command = [sys.executable, __file__, "--step", step, *given]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """What was measured of a kind, in lines."""
    orders = found["orders"]
    yield f"{found['kind']}: {orders:,} orders of {found['bytes']:,} bytes → {found['rows']:,} rows"

    def line(what: str, clock: float, cpu: float, more: str = "") -> str:
        return f"  {what:<34} {clock:>8.2f} s by the clock {cpu:>8.2f} s of processors {orders / clock:>9,.0f} orders/s{more}"

    yield line("bare decode, one process", found["bare_clock_s"], found["bare_s"])
    ratio = (
        f"   {found['staging_s'] / found['bare_s']:.2f} × bare (processors)   peak {found['peak_mb']:,} MB"
    )
    yield line("staged, one process", found["clock_s"], found["staging_s"], ratio)
    more = found["beside"]
    if more:
        each = f"{more['peak_mb']:,} MB and {more['processes']} times at most {more['each_peak_mb']:,} MB"
        ratio = f"   {more['clock_s'] / found['bare_clock_s']:.2f} × bare (clock)   peak {each}"
        spent = more["own_s"] + more["theirs_s"]
        yield line(f"staged, {more['processes']} processes beside", more["clock_s"], spent, ratio)
        yield f"    of its seconds of processors {more['own_s']:.2f} here, where results are published, and {more['theirs_s']:.2f} there, starting included"


def main() -> int:
    """Print some lines per kind; 1 if staging with all processors takes more than it may by the clock."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--kinds", default="commercetools,magento,xcart,clarity")
    parser.add_argument("--repeat", type=int, help="best of so many; 3, or 1 from 500,000 orders on")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--step", choices=["render", "alone", "beside"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    repeat = options.repeat or (3 if options.orders < 500_000 else 1)
    if options.step:
        steps = {
            "render": lambda: len(laid_out(options.kinds, options.orders, options.folder)),
            "alone": lambda: alone(options.kinds, options.folder, repeat),
            "beside": lambda: beside(options.kinds, options.folder, repeat, max(2, cores())),
        }
        print(json.dumps(steps[options.step]()))
        return 0
    slow = 0
    for kind in options.kinds.split(","):
        found = measured(kind, options.orders, repeat)
        if options.one:
            print(json.dumps(found))
            continue
        print("\n".join(told(found)), flush=True)
        if found["beside"]:
            slow += found["beside"]["clock_s"] / found["bare_clock_s"] > MOST
    return int(slow > 0)


def cores() -> int:
    """Processors there are for it."""
    from flows.apart.processes import cores as those

    return those()


if __name__ == "__main__":
    sys.exit(main())
