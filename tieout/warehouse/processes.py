"""Who a process is, so that a later one can tell whether it still lives: host, boot, pid and start time."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Identity of the calling process; `boot` and `started` are empty text where the system does not tell."""
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def is_alive(identity: dict[str, Any]) -> bool:
    """Whether that process still runs. A process of another host cannot be judged and counts as alive."""
    if identity.get("host") != socket.gethostname():
        return True
    if identity.get("boot") and identity["boot"] != _boot():
        return False
    pid = int(identity.get("pid") or 0)
    if pid <= 0 or not pid_lives(pid):
        return False
    # A pid may have been given to another process since; the start time tells them apart.
    return not identity.get("started") or identity["started"] == _started(pid)


def pid_lives(pid: int) -> bool:
    """Whether a process with this id exists on this machine (a zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _stat(pid).startswith("Z")


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _stat(pid: int) -> str:
    """`/proc/<pid>/stat` after the command name, which may itself hold spaces and brackets; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2]
    except OSError:
        return ""


def _started(pid: int) -> str:
    fields = _stat(pid).split()
    return fields[19] if len(fields) > 19 else ""
