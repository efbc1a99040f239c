"""When, in what order, and what if it fails: the table of contents of the tool.

Each stage is a plain function over a `House` (settings, warehouse, couriers); `flows.scheduled` dresses them as Prefect flows.
"""

import os

# Polars gives memory back to the system half a second after it was freed, and has to fault it in again for the next frame. Keeping it
# for ten seconds saves a seventh of the processor time of a large comparison; polars reads this once, when it is imported.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000")
