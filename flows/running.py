"""Every stage runs inside a recorded run: an id that sorts by time, a start, an end, a summary, and the sentence if it failed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from flows.wiring import House
from tieout.errors import TieoutError
from tieout.warehouse import runs

Stage = Callable[..., dict[str, Any]]


def run_stage(
    house: House, stage: str, work: Stage, *, parent_run_id: str | None = None, **options: Any
) -> dict[str, Any]:
    """Run `work(house, run_id=…, **options)` as a recorded run and return its summary with `run_id` added.

    An error is recorded with its sentence and raised again.
    """
    run_id = runs.new_run_id(now=house.clock(), rng=random.SystemRandom())
    with house.warehouse.write(run_id=run_id) as session:
        crashed = runs.start_run(
            session, run_id=run_id, stage=stage, now=house.clock(), parent_run_id=parent_run_id
        )
    if crashed:
        house.say(f"{len(crashed)} earlier run(s) died before they could end; their work is taken up again")
    try:
        summary = work(house, run_id=run_id, **options)
    except BaseException as fault:
        sentence = str(fault) if isinstance(fault, TieoutError) else f"{type(fault).__name__}: {fault}"
        with house.warehouse.write(run_id=run_id) as session:
            runs.end_run(session, run_id=run_id, now=house.clock(), error=sentence)
        raise
    with house.warehouse.write(run_id=run_id) as session:
        runs.end_run(session, run_id=run_id, now=house.clock(), summary=summary)
    return {"run_id": run_id, **summary}
