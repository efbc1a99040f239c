"""Prefect's API as a process that is started before Prefect is imported.

Prefect starts a temporary API of its own for the first flow, but only after importing its server into the process that wants to run the
flow, which takes as long as the start itself. Started this way both go on at the same time, and this process never imports the server.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from tieout.errors import ConnectorError

_SECONDS = 300
"""Its very first start makes a database, which takes long on a busy machine."""


def quiet_prefect() -> None:
    """Prefect says only what is wrong, and tells nobody."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # Its first start makes a database; on a busy machine that takes longer than the 20 s it allows itself.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "300")
    os.environ.setdefault("PREFECT_SERVER_DATABASE_TIMEOUT", "60")


class PrefectApi:
    """The process, unless `PREFECT_API_URL` names an API already. `PREFECT_HOME` must be set; import Prefect after this."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if os.environ.get("PREFECT_API_URL"):
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # The command line and environment of Prefect's own temporary server (prefect.server.api.server, SubprocessASGIServer).
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"),
                *("--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--lifespan", "on"),
            ],
            env={
                **os.environ,
                "PREFECT_UI_ENABLED": "0",
                "PREFECT__SERVER_EPHEMERAL": "1",
                "PREFECT__SERVER_FINAL": "1",
            },
        )
        # Registered before Prefect is imported, so that it ends after Prefect has said its last word to it.
        atexit.register(self.stop)
        os.environ["PREFECT_API_URL"] = self._url = f"http://127.0.0.1:{port}/api"

    def wait(self) -> None:
        """Until it answers. Raises `ConnectorError` when it has ended or stays silent."""
        if self._process is None:
            return
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self._url}/health", timeout=5) as reply:  # noqa: S310  (loopback)
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise ConnectorError(
            "Prefect's API did not start; run without it (`--plain`), or name one that runs in PREFECT_API_URL."
        )

    def stop(self) -> None:
        """End the process, and forget its address."""
        if self._process is None:
            return
        os.environ.pop("PREFECT_API_URL", None)
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
