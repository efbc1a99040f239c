"""Why documents wait: closed books, maintenance, other runs, the month's quota, refused credentials. They wait; nothing fails and nothing is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from posting_desk import NOON, Clock, DeskHouse, desk_house, invoice, put, states, table
from typer.testing import CliRunner

from flows.cli import app
from flows.commands import posting as cli_posting
from flows.post import post
from flows.posting import quota
from flows.posting.waiting import Order, act, found
from flows.status import as_text, look
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, RefusedByIntacct
from tieout.errors import InputError, Refused, Rejected, Stopped
from tieout.warehouse import alerts
from tieout.warehouse.company_lock import company_slot

pytestmark = pytest.mark.usefixtures("kept_attached")

WHO = {"author": "Ada", "reason": "told by finance"}


@pytest.fixture
def house(tmp_path: Path) -> DeskHouse:
    return desk_house(tmp_path, quota_per_month=1000)


def clock(house: DeskHouse) -> Clock:
    assert isinstance(house.clock, Clock)
    return house.clock


# --- closed books -----------------------------------------------------------------------------------------------
def test_a_document_of_a_closed_day_is_held_before_it_is_sent_and_goes_when_the_day_is_open_again(
    house: DeskHouse,
) -> None:
    put(house, invoice("D1", document_on=date(2026, 10, 31)), invoice("D2", document_on=date(2026, 11, 1)))
    house.company.closed = {"US": date(2026, 10, 31)}
    done = post(house, run_id="r1")
    assert states(house) == {"D1": "held", "D2": "accepted"}
    assert (done["held"], done["refused"]) == (1, 0)
    assert house.company.sent == [["NO-D2"]]
    assert [one["document_id"] for one in found(house, Order("closed"))] == ["D1"]
    assert "first-open" in act(house, Order("closed"))[0]
    assert look(house)["exit_code"] == 1
    assert "period is closed" in as_text(look(house))

    assert post(house, run_id="r2")["held"] == 0, "what is held already is not held again"
    house.company.closed = {"US": date(2026, 9, 30)}
    assert post(house, run_id="r3")["released"] == 1
    assert states(house) == {"D1": "accepted", "D2": "accepted"}
    assert look(house)["exit_code"] == 0


def test_finance_posts_a_closed_document_on_the_first_open_day_and_the_edit_is_kept(house: DeskHouse) -> None:
    put(house, invoice("D1", document_on=date(2026, 10, 31), due_on=date(2026, 10, 31)))
    house.company.closed = {"US": date(2026, 10, 31)}
    post(house, run_id="r1")
    with pytest.raises(InputError, match="closed too"):
        act(house, Order("first-open", ["D1"], on=date(2026, 10, 30), **WHO))
    told = act(house, Order("first-open", ["NO-D1"], **WHO))
    assert told == ["1 document(s): first-open, by Ada: told by finance"]
    stored = table(house, "out.documents")[0]
    assert (stored["document_on"], stored["due_on"]) == (date(2026, 11, 1), date(2026, 11, 1))
    edits = {(one["field"], one["before"], one["after"], one["author"]) for one in table(house, "ops.edits")}
    assert edits == {
        ("document_on", "2026-10-31", "2026-11-01", "Ada"),
        ("due_on", "2026-10-31", "2026-11-01", "Ada"),
    }
    post(house, run_id="r2")
    assert states(house) == {"D1": "accepted"}
    with pytest.raises(InputError, match="does not wait for a closed period"):
        act(house, Order("first-open", ["D1"], on=date(2026, 11, 5), **WHO))


def test_a_refusal_for_a_closed_period_goes_to_the_list_and_not_to_the_dead(house: DeskHouse) -> None:
    put(house, invoice("D1"))
    house.company.answers = {
        "NO-D1": RefusedByIntacct(ErrorKind.CLOSED_PERIOD, "", "Intacct: Periods are closed.")
    }
    for run in ("r1", "r2", "r3", "r4"):
        post(house, run_id=run)
        assert states(house)["D1"] == "held"
    assert len(house.company.sent) <= 4
    assert alerts_of(house) == []


def test_a_company_that_will_not_say_what_is_closed_is_posted_to_all_the_same(house: DeskHouse) -> None:
    put(house, invoice("D1"))

    def silent(_entity: str | None = None) -> date | None:
        raise Rejected("no such function")

    house.company.closed_through = silent  # type: ignore[method-assign]
    done = post(house, run_id="r1")
    assert states(house) == {"D1": "accepted"}
    assert "does not say" in done["problems"][0]


# --- maintenance ------------------------------------------------------------------------------------------------
def test_an_announced_window_holds_documents_until_it_ends_or_is_stopped(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(house, invoice("D1"))
    monkeypatch.setattr(cli_posting, "_house", lambda _config, _as_of: house)
    run = CliRunner().invoke
    until = "2026-11-20T14:00:00Z"
    bad = run(
        app, ["maintenance", "start", "--until", "2026-11-20T11:00:00Z", "--author", "A", "--reason", "R"]
    )
    assert isinstance(bad.exception, InputError)
    started = run(
        app, ["maintenance", "start", "--until", until, "--author", "Ada", "--reason", "Sage update"]
    )
    assert started.exit_code == 0, started.output
    done = post(house, run_id="r1")
    assert "announced by Ada (Sage update)" in done["waiting_reason"]
    assert done["exit_code"] == 0
    assert states(house) == {"D1": "planned"}
    assert "Maintenance until 2026-11-20 14:00 UTC: Sage update (Ada)" in as_text(look(house))
    assert "maintenance" in run(app, ["maintenance", "show"]).output
    stopped = run(app, ["maintenance", "stop", "--author", "Bob"])
    assert "1 window(s) ended" in stopped.output
    assert table(house, "ops.maintenance")[0]["stopped_by"] == "Bob"
    post(house, run_id="r2")
    assert states(house) == {"D1": "accepted"}


def test_a_window_that_opens_while_posting_is_respected_at_the_next_batch(tmp_path: Path) -> None:
    house = desk_house(tmp_path, batch_size=1, maintenance={"start": "12:30:00", "end": "13:00:00"})
    put(house, invoice("D1"), invoice("D2"))
    house.company.hook = lambda: clock(house).ahead(minutes=40)
    done = post(house, run_id="r1")
    assert sorted(states(house).values()) == ["accepted", "planned"]
    assert "maintenance window" in done["waiting_reason"]


# --- other runs, quota ------------------------------------------------------------------------------------------
def test_a_second_run_waits_while_the_first_posts_for_the_company(house: DeskHouse) -> None:
    put(house, invoice("D1"))
    inner: list[str] = []
    house.company.hook = lambda: inner.append(str(post(house, run_id="second")["waiting_reason"]))
    post(house, run_id="first")
    assert len(inner) == 1
    assert "run first" in inner[0]
    assert house.company.books == {"NO-D1": 1}


def test_as_many_runs_post_at_once_as_the_company_has_places(tmp_path: Path) -> None:
    with company_slot(tmp_path, "acme", workers=2, run_id="a") as first:
        with (
            company_slot(tmp_path, "acme", workers=2, run_id="b") as second,
            company_slot(tmp_path, "acme", workers=2, run_id="c") as third,
        ):
            assert (first, second) == (None, None)
            assert third is not None
            assert "run b" in third
        with company_slot(tmp_path, "other", workers=1, run_id="d") as elsewhere:
            assert elsewhere is None
        with company_slot(tmp_path, "acme", workers=2, run_id="e") as freed:
            assert freed is None


def test_what_the_month_cannot_finish_is_refused_unless_forced(tmp_path: Path) -> None:
    house = desk_house(tmp_path, quota_per_month=2)
    put(house, *(invoice(f"D{n}") for n in range(3)))
    with pytest.raises(Stopped, match="--force"):
        post(house, run_id="r1")
    assert house.company.sent == []
    row = table(house, "ops.quota_forecast")[0]
    assert (row["planned_no"], row["limit_no"], row["forecast_no"]) == (
        3,
        2,
        3 + row["used_no"] + row["pace_no"],
    )
    post(house, run_id="r2", force=True)
    assert set(states(house).values()) == {"accepted"}


@pytest.mark.parametrize(
    ("now", "used", "pace"),
    [
        (datetime(2026, 11, 16, tzinfo=UTC), 150, 150),
        (datetime(2026, 11, 1, 1, tzinfo=UTC), 10, 290),
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), 3000, 0),
        (datetime(2026, 2, 15, tzinfo=UTC), 0, 0),
    ],
)
def test_the_rest_of_the_month_goes_on_at_its_pace_so_far(now: datetime, used: int, pace: int) -> None:
    assert quota._pace(now, used) == pace


# --- alerts -----------------------------------------------------------------------------------------------------
def alerts_of(house: DeskHouse) -> list[tuple[str, str]]:
    with house.warehouse.read() as session:
        return [(one["kind_code"], one["subject_ref"]) for one in alerts.standing(session).to_dicts()]


def test_the_third_refusal_raises_one_alert_that_a_replay_clears(house: DeskHouse) -> None:
    put(house, invoice("D1"), invoice("D2"))
    house.company.answers = {
        "NO-D1": RefusedByIntacct(ErrorKind.DATA, "BL01001973", "Intacct: no account 4000.")
    }
    for run, state in (("r1", "refused"), ("r2", "refused"), ("r3", "dead"), ("r4", "dead")):
        done = post(house, run_id=run)
        assert states(house) == {"D1": state, "D2": "accepted"}
        assert len(done["alerts"]) == (run == "r3")
    assert house.company.books == {"NO-D2": 1}, "what worked is never sent again"
    assert len(house.company.sent) == 3
    assert alerts_of(house) == [("dead_document", "D1")]
    assert look(house)["exit_code"] == 1
    assert "no account 4000" in as_text(look(house))
    house.company.answers = {}
    act(house, Order("replay", ["D1"], **WHO))
    assert alerts_of(house) == []
    post(house, run_id="r5")
    assert states(house)["D1"] == "accepted"


def test_refused_credentials_halt_everything_until_doctor_signs_in_again(house: DeskHouse) -> None:
    put(house, invoice("D1"))
    house.company.fault = Refused("Sign-in information is incorrect.", sign_in=True)
    with pytest.raises(Refused):
        post(house, run_id="r1")
    assert states(house) == {"D1": "planned"}, "nothing was sent, so it may go again"
    assert alerts_of(house) == [("credentials", "intacct")]
    house.company.fault = None
    clock(house).ahead(hours=1)
    with pytest.raises(Refused, match=r"nothing has been tried since.*tieout doctor"):
        post(house, run_id="r2")
    assert house.company.sent == []
    assert look(house)["exit_code"] == 1
    house.resume("intacct")
    post(house, run_id="r3")
    assert states(house) == {"D1": "accepted"}
    assert alerts_of(house) == []


def test_refused_rights_to_one_thing_halt_nothing_else(house: DeskHouse) -> None:
    house.halt("intacct", Refused("No right to read AUDITHISTORY."), run_id="r1")
    assert alerts_of(house) == []


def test_an_acceptance_of_what_was_accepted_under_another_key_is_an_alert(house: DeskHouse) -> None:
    put(house, invoice("D1"))
    real = house.company.post

    def twice(batch: object, **options: object) -> BatchOutcome:
        from tieout.warehouse import outbox
        from tieout.warehouse.outbox import Result

        with house.warehouse.write(run_id="other") as session:
            row = session.fetch("ops.outbox").row(0, named=True)
            outbox.settle(session, row["batch_id"], [Result("D1", "accepted", "7")], now=NOON, run_id="other")
        return real(batch, **options)

    house.company.post = twice  # type: ignore[method-assign, assignment]
    done = post(house, run_id="r1")
    assert alerts_of(house) == [("double_acceptance", "D1")]
    assert "may stand there twice" in done["alerts"][0]


def test_alerts_are_listed_and_cleared_with_a_name(house: DeskHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_posting, "_house", lambda _config, _as_of: house)
    run = CliRunner().invoke
    assert run(app, ["alerts"]).exit_code == 0
    with house.warehouse.write(run_id="r") as session:
        assert (
            alerts.raise_alerts(session, "dead_document", [("D1", "It is dead.")], now=NOON, run_id="r") == 1
        )
        later = NOON + timedelta(hours=1)
        assert alerts.raise_alerts(session, "dead_document", [("D1", "Still.")], now=later, run_id="s") == 0
    listed = run(app, ["alerts", "--json"])
    assert listed.exit_code == 1
    assert "It is dead." in listed.output
    name = table(house, "ops.alerts")[0]["alert_id"]
    assert isinstance(run(app, ["alerts", "clear", name]).exception, InputError)
    assert isinstance(
        run(app, ["alerts", "clear", "A000", "--author", "A", "--reason", "R"]).exception, InputError
    )
    cleared = run(app, ["alerts", "clear", name, "--author", "Ada", "--reason", "written off"])
    assert cleared.exit_code == 0, cleared.output
    assert run(app, ["alerts"]).exit_code == 0
    assert table(house, "ops.alerts")[0]["cleared_by"] == "Ada"


def test_accepted_means_accepted(house: DeskHouse) -> None:
    put(house, invoice("D1"))
    house.company.answers = {"NO-D1": Accepted("77")}
    post(house, run_id="r1")
    assert table(house, "ops.outbox")[0]["intacct_key"] == "77"
    assert post(house, run_id="r2")["posted"] == 0
