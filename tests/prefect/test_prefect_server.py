"""A real Prefect server, a process worker, the shipped `prefect.yaml`, and no network: what an operator's machine does every night.

A lock of packages can install cleanly and still break Prefect where no import shows it: the API may not start, a null body may be
refused, a schedule may never fire. So all three are done here for real, and a whole night runs through the worker.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import night
import pytest
import yaml
from written import Hidden, everything_in

from flows.close import close_period
from flows.closing.events import standing_of
from flows.closing.signing import sign_close

pytestmark = [pytest.mark.server, pytest.mark.timeout(1200)]
BIN = Path(sys.executable).parent
PATIENCE = 300.0
"""Seconds until something that must happen counts as not happening: a busy machine is no fault, a server that never answers is."""
NOT_UNDER_TEST = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "DB_VACUUM",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "TRIGGERS",
)
"""Loops of the server that write to its SQLite every few seconds and that nothing here asks about."""


@dataclass
class Machine:
    """A house, its world, a Prefect server with every deployment of prefect.yaml, and one worker."""

    world: night.World
    folder: Path
    environment: dict[str, str]
    api: str
    deployed: dict[str, Any] = field(default_factory=dict)

    def prefect(self, *words: str, time_out: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run the `prefect` command in the house."""
        return subprocess.run(
            [str(BIN / "prefect"), "--no-prompt", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=time_out,
            check=False,
        )

    def ask(self, path: str, body: Any = None, *, method: str | None = None) -> Any:
        """Ask the API, again and again while it is busy."""
        order = urllib.request.Request(
            self.api + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(order, timeout=60) as reply:
                    return json.loads(reply.read() or b"null")
            except urllib.error.HTTPError as refused:
                # SQLite allows one writer; the server says 503 and asks to come again, as Prefect's own client does.
                if refused.code not in (429, 502, 503) or time.monotonic() > until:
                    raise
            except OSError:
                # No answer in time, or no connection yet: asked again, as Prefect's own client does.
                if time.monotonic() > until:
                    raise
            time.sleep(0.5)

    def deployments(self) -> dict[str, Any]:
        """Deployments by name, asked for once: none is added later."""
        if not self.deployed:
            self.deployed = {one["name"]: one for one in self.ask("/deployments/filter", {})}
        return self.deployed

    def runs_of(self, name: str) -> list[dict[str, Any]]:
        """Runs of a deployment, newest first."""
        wanted = self.deployments()[name]["id"]
        body = {"flow_runs": {"deployment_id": {"any_": [wanted]}}, "sort": "EXPECTED_START_TIME_DESC"}
        return self.ask("/flow_runs/filter", body)

    def wait(self, what: str, found: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Ask again and again until there is an answer; a wait in vain fails with the worker's last words."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = found()
            if answer:
                return answer
            time.sleep(1.5)  # every question keeps the server from its work
        log = (self.folder / "worker.log").read_text(encoding="utf-8", errors="replace")
        raise AssertionError(f"{what} did not happen within {seconds:g} s; the worker says:\n{log[-3000:]}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _start(words: list[str], log: Path, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as sink:
        # A group of its own, so that what it starts can be ended with it.
        return subprocess.Popen(
            words, cwd=folder, env=environment, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    import os
    import signal

    for number, patience in ((signal.SIGINT, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=patience)
            return
        except ProcessLookupError:
            process.wait(timeout=patience)
            return
        except subprocess.TimeoutExpired:
            continue


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    base = tmp_path_factory.mktemp("prefect")
    folder = base / "house"
    port = _free_port()
    api = f"http://127.0.0.1:{port}/api"
    environment = night.environment(
        PREFECT_HOME=str(base / "prefect-home"),
        PREFECT_API_URL=api,
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_WORKER_QUERY_SECONDS="2",
        PREFECT_API_REQUEST_TIMEOUT="120",
        PREFECT_SERVER_DATABASE_TIMEOUT="60",
        PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS="3",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in NOT_UNDER_TEST},
        PREFECT_LOGGING_LEVEL="WARNING",
        GX_ANALYTICS_ENABLED="false",
        TIEOUT_HOME=str(folder),
        PYTHONPATH=str(night.ROOT),
        # Offline is part of the promise: whatever tried to leave this machine would fail.
        HTTP_PROXY="http://127.0.0.1:9",
        HTTPS_PROXY="http://127.0.0.1:9",
        NO_PROXY="127.0.0.1,localhost",
    )
    started: list[subprocess.Popen[bytes]] = []
    with night.world_of(base / "world", orders=200) as world:
        night.lay_out(folder, world.addresses)
        _deployments(folder)
        machine = Machine(world, folder, environment, api)
        try:
            started.append(
                _start(
                    [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)],
                    folder / "server.log",
                    folder,
                    environment,
                )
            )
            _healthy(api, folder / "server.log")
            made = machine.prefect("work-pool", "create", "tieout", "--type", "process")
            assert made.returncode == 0, made.stdout + made.stderr
            deployed = machine.prefect("deploy", "--all")
            assert deployed.returncode == 0, deployed.stdout + deployed.stderr
            started.append(
                _start(
                    [str(BIN / "prefect"), "worker", "start", "--pool", "tieout", "--type", "process"],
                    folder / "worker.log",
                    folder,
                    environment,
                )
            )
            yield machine
        finally:
            for process in reversed(started):
                _end(process)


def _deployments(folder: Path) -> None:
    """The shipped file with one more deployment, for every minute; no schedule is active until a test wakes it."""
    shipped = yaml.safe_load((night.ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    for one in shipped["deployments"]:
        assert one["schedules"], f"{one['name']} has no schedule"
        one["schedules"] = [{**schedule, "active": False} for schedule in one["schedules"]]
    shipped["deployments"].append(
        {
            "name": "every-minute",
            "entrypoint": "flows.scheduled.check",
            "parameters": {"config": "tieout.toml"},
            "schedules": [{"cron": "* * * * *", "timezone": "UTC", "active": False}],
            "work_pool": {"name": "tieout"},
        }
    )
    (folder / "prefect.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False), encoding="utf-8")


def _healthy(api: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=5) as reply:
                if reply.status == 200:
                    return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(
        f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}"
    )


@pytest.fixture(scope="module")
def a_night(machine: Machine) -> dict[str, Any]:
    """The run of one night through the worker, ended."""
    one = machine.deployments()["nightly"]
    run = machine.ask(f"/deployments/{one['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})

    def ended() -> Any:
        found = machine.ask(f"/flow_runs/{run['id']}")
        return found if found["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    return machine.wait("the nightly run's end", ended, 2 * PATIENCE)


def test_every_shipped_deployment_is_registered(machine: Machine) -> None:
    assert {"nightly", "posting", "stock", "month-end"} <= set(machine.deployments())


def test_a_cron_schedule_fires_by_itself(machine: Machine) -> None:
    one = machine.deployments()["every-minute"]
    schedule = f"/deployments/{one['id']}/schedules/{one['schedules'][0]['id']}"
    machine.ask(schedule, {"active": True}, method="PATCH")

    def fired() -> Any:
        return next(
            (run for run in machine.runs_of("every-minute") if run["state_type"] == "COMPLETED"), None
        )

    try:
        run = machine.wait("a run by the schedule", fired)
    finally:
        machine.ask(schedule, {"active": False}, method="PATCH")
    assert run["auto_scheduled"]
    assert run["expected_start_time"][17:19] == "00", "a cron run is due on the whole minute"

    def still() -> bool:
        return all(
            one["state_type"] in ("COMPLETED", "FAILED", "CRASHED") for one in machine.runs_of("every-minute")
        )

    machine.wait("the end of what the schedule had begun", still)


def test_a_night_runs_through_the_worker_and_leaves_artifacts(
    machine: Machine, a_night: dict[str, Any]
) -> None:
    run = a_night
    assert run["state"]["type"] == "COMPLETED", run["state"]
    tasks = machine.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert {task["name"] for task in tasks} == {
        "extract", "stage", "check", "plan", "post", "confirm", "stock", "writeback", "reconcile", "report",
    }  # fmt: skip
    artifacts = machine.ask("/artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    kept = {one["key"]: one for one in artifacts}
    assert {"tieout-extract", "tieout-post", "tieout-findings", "tieout-reconcile"} <= set(kept)
    assert "| posted |" in kept["tieout-post"]["data"]
    findings = json.loads(kept["tieout-findings"]["data"])
    assert findings
    assert {"severity", "rule_code", "sentence"} <= set(findings[0])
    secrets = json.dumps(artifacts)
    assert not any(secret in secrets for secret in night.WORLD_SECRETS.values())
    house = night.house_at(machine.folder / "tieout.toml", night.NightClock(machine.world.addresses["now"]))
    assert night.unlike_the_books(house, machine.world) == []
    assert night.states_of(house)["accepted"] > 40
    assert (machine.folder / "reports" / "latest" / "reconciliation.xlsx").exists()


def test_what_prefect_keeps_of_a_night_holds_no_secret(machine: Machine, a_night: dict[str, Any]) -> None:
    """Its database with every log line and artifact, its storage, and what worker and server said."""
    issued = machine.world.ask("/issued")
    hidden = Hidden([*night.WORLD_SECRETS.values(), *issued["intacct"], *issued["commercetools"]])
    home = Path(machine.environment["PREFECT_HOME"])
    places = [*everything_in(home), *((one.name, one.read_bytes()) for one in machine.folder.glob("*.log"))]
    assert {name: match for name, content in places if (match := hidden.within(content))} == {}
    kept = b"".join(content for name, content in places if name.endswith(": artifact"))
    assert b"posted" in kept, "the night's own artifacts were searched"


def test_artifacts_can_be_listed_from_the_command_line(machine: Machine, a_night: dict[str, Any]) -> None:
    listed = machine.prefect("artifact", "ls")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "tieout-" in listed.stdout


def test_the_command_line_runs_a_night_on_the_ephemeral_api(
    machine: Machine, a_night: dict[str, Any]
) -> None:
    """Without a server: Prefect starts its own in the process, its files lie in the state folder, and it says nothing."""
    before = machine.world.keys()
    done = night.tieout(
        machine.folder, "run", "nightly", "--as-of", "2026-11-21T06:00:00Z", time_out=2 * PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report" in done.stdout
    assert machine.world.keys() == before, "the second night posted something"
    assert (machine.folder / "state" / "prefect" / "prefect.db").exists()
    assert not any(secret in done.stdout + done.stderr for secret in night.WORLD_SECRETS.values())


def test_the_sentinel_finds_what_moved_in_a_locked_period_and_suspends_it(
    machine: Machine, a_night: dict[str, Any]
) -> None:
    """A month is closed and signed by two; then one of its invoices changes, and the shipped deployment is run through the worker."""
    house = night.house_at(machine.folder / "tieout.toml", night.NightClock("2026-10-02T09:00:00+00:00"))
    close_period(house, period="2026-09", entity="E100")
    for role, author in (("preparer", "Ana"), ("reviewer", "Ben")):
        sign_close(house, entity="E100", period="2026-09", role=role, author=author)
    with house.warehouse.read() as session:
        rests = session.fetch("ops.closed_records", where={"kind_code": "invoice"}).sort("record_ref")
        one = session.fetch("core.ar_invoices", where={"invoice_ref": rests["record_ref"].head(1).to_list()})
    assert one.height == 1
    moved = one.with_columns(total_minor=one["total_minor"] + 100)
    with house.warehouse.write(run_id="20261101T000000.000Z-moved") as session:
        session.publish("core.ar_invoices", moved, key=["invoice_ref"], mode="merge", ignore=())
    deployment = machine.deployments()["sentinel"]
    run = machine.ask(f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})

    def ended() -> Any:
        found = machine.ask(f"/flow_runs/{run['id']}")
        return found if found["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    done = machine.wait("the sentinel's end", ended, 2 * PATIENCE)
    artifacts = machine.ask("/artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert artifacts, done["state"]
    (told,) = [artifact["data"] for artifact in artifacts if artifact["key"] == "tieout-sentinel"]
    assert one["invoice_number"][0] in told
    assert standing_of(house, "E100", "2026-09").state == "suspended"
