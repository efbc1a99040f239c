"""``python -m tieout.sandbox``: start the stand-ins, say where they are, run until told to stop."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from tieout.sandbox.control import Control
from tieout.sandbox.faults import FaultError
from tieout.sandbox.rehearsal import PARTS, Rehearsal
from tieout.sandbox.server import Server

MOST_ORDERS = 1_000_000


def main(arguments: list[str] | None = None) -> int:
    """Run the stand-ins until SIGTERM or SIGINT; 0 when stopped so, 2 for bad arguments."""
    options = _parser().parse_args(arguments)
    if not 1 <= options.orders <= MOST_ORDERS:
        return _fail(f"--orders must lie between 1 and {MOST_ORDERS:,}, not {options.orders:,}.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        ports = dict(_port(text, options.only) for text in options.port)
        rehearsal = Rehearsal(
            options.seed, options.orders, only=options.only, ledger=options.ledger == "seeded",
            company=options.company, state=options.state, ports=ports, latency_ms=options.latency_ms, say=_say,
        )  # fmt: skip
        for text in options.fault:
            rehearsal.board.add(_fault(text))
        control = Control(rehearsal)
        door = Server(control, options.control_port)
    except (FaultError, OSError, ValueError) as bad:
        return _fail(str(bad))
    control.extra_addresses = {"control": {"url": door.url}, "pid": os.getpid()}
    # The world stays for good: the collector need not walk a million orders again and again.
    gc.collect()
    gc.freeze()
    with rehearsal, door:
        line = json.dumps(control.addresses())
        if options.addresses:
            _write_whole(options.addresses, line)
        print(line, flush=True)
        stop.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tieout.sandbox", description=__doc__)
    parser.add_argument(
        "only",
        nargs="*",
        metavar="part",
        help=f"stand-ins to start: {', '.join(PARTS)} or all; default commercetools and intacct. Several storefronts share the orders",
    )
    parser.add_argument("--seed", type=int, default=7, help="same seed, same world")
    parser.add_argument("--orders", type=int, default=2400, help="size of the world, up to 1,000,000")
    parser.add_argument(
        "--ledger", choices=("seeded", "empty"), default="seeded", help="September in the books, or not"
    )
    parser.add_argument(
        "--company", type=Path, help="TOML file with the Intacct company, instead of the shipped one"
    )
    parser.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="[NAME=]N",
        help="a fixed port for one stand-in; without a name for the only one that is started",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="file the Intacct books are kept in, so that they survive a restart; an existing one is taken up",
    )
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every answer of the stand-ins")
    parser.add_argument("--addresses", type=Path, help="file to write the addresses to, as JSON")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="JSON", help="a fault to switch on at once"
    )
    return parser


def _port(text: str, parts: list[str]) -> tuple[str, int]:
    if text.isascii() and text.isdigit() and len(parts) == 1 and parts != ["all"]:
        text = f"{parts[0]}={text}"
    name, _, number = text.partition("=")
    if not (name and number.isascii() and number.isdigit() and int(number) <= 65_535):
        raise ValueError(f"--port is written NAME=N, for example intacct=8080; not {text}.")
    return name, int(number)


def _fault(text: str) -> dict[str, Any]:
    try:
        order = json.loads(text)
    except ValueError as bad:
        raise FaultError(f"--fault is not JSON: {text}") from bad
    if not isinstance(order, dict):
        raise FaultError(f"--fault must be a JSON object: {text}")
    return order


def _write_whole(path: Path, text: str) -> None:
    # Written beside and renamed: whoever waits for the file never reads half of it.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text + "\n", encoding="utf-8")
    os.replace(beside, path)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _fail(message: str) -> int:
    _say(f"tieout sandbox: {message}")
    return 2


if __name__ == "__main__":
    sys.exit(main())
