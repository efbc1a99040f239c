"""When, in what order, and what if it fails: the table of contents of the tool.

Each stage is a plain function over a `House` (settings, warehouse, couriers); `flows.scheduled` dresses them as Prefect flows.
"""

import os

# Polars gives memory back to the system half a second after it was freed, and has to fault it in again for the next frame. Keeping it
# for ten seconds saves a seventh of the processor time of a large comparison; pieces of eight megabytes and more, which would be given
# back at once whatever is asked, are kept like the others, and one arena a processor holds less unused than four: another twelfth.
# Polars reads this once, when it is imported, and writes its own default there, which processes started from it inherit; what stands
# behind that default is somebody's wish and has the last word.
_NAME, _DEFAULT = "_RJEM_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:1000"
_WISH = os.environ.get(_NAME, "").removeprefix(_DEFAULT).strip(",")
os.environ[_NAME] = _WISH or f"dirty_decay_ms:10000,oversize_threshold:0,narenas:{os.cpu_count() or 1}"
