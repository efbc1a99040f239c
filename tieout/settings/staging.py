"""How staging shares out its work."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tieout.settings.section import Section


class Staging(Section):
    """How many processes take payloads apart while the run publishes what came of them, and from how much on it is worth starting them."""

    processes: Annotated[int, Field(ge=0, le=64)] = 0
    processes_from: Annotated[int, Field(ge=1)] = 40_000
