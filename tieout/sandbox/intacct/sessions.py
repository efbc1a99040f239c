"""Who is calling: logins, and sessions that slide while they are used.

A session belongs to one user and one entity (or the top level). Wrong entities look exactly like bad credentials, and an expired
session carries the same number as both, so a client has to look at the text (seen in the field).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tieout.sandbox.intacct.company import Company, User
from tieout.sandbox.intacct.refusals import GENERIC_XML, BookError


@dataclass(slots=True)
class Session:
    """One signed-in user at one level; `id` is empty for a login that lasts one request."""

    id: str
    user: User
    entity: str
    timestamp: datetime
    timeout: datetime


def same(given: str, known: str) -> bool:
    """Compare secrets without telling how far they agree."""
    return hmac.compare_digest(given.encode(), known.encode())


class Sessions:
    """All live sessions of one company; `issued` holds the id of every session there ever was."""

    def __init__(self, company: Company, clock: Callable[[], datetime]) -> None:
        self._company, self._clock = company, clock
        self._live: dict[str, Session] = {}
        self.issued: list[str] = []

    def authenticate(self, element: Any) -> Session:
        """The caller behind an authentication element. Raises BookError with the known texts."""
        session_id = element.findtext("sessionid")
        if session_id is not None:
            return self._resume(session_id.strip())
        login = element.find("login")
        if login is None:
            raise self._bad_login()
        return self._log_in(login)

    def open(self, caller: Session, entity: str | None) -> Session:
        """A new session for the caller, at the caller's level or in the entity named ("" is the top level)."""
        wanted = caller.entity if entity is None else entity
        if (wanted and wanted not in self._company.entities) or not caller.user.may_enter(wanted):
            raise self._bad_login()
        now = self._clock().replace(microsecond=0)
        session = Session(secrets.token_urlsafe(24), caller.user, wanted, now, now + self._length())
        self._live = {key: old for key, old in self._live.items() if old.timeout > now}
        self._live[session.id] = session
        self.issued.append(session.id)
        return session

    def expire(self, session_id: str | None = None) -> None:
        """End one session, or all of them."""
        if session_id is None:
            self._live.clear()
        else:
            self._live.pop(session_id, None)

    def _resume(self, session_id: str) -> Session:
        now = self._clock().replace(microsecond=0)
        session = self._live.get(session_id)
        if session is None or session.timeout <= now:
            self._live.pop(session_id, None)
            raise BookError(
                GENERIC_XML,
                "Invalid session. The session has expired or is not known.",
                "Sign in again to get a new session.",
            )
        session.timeout = now + self._length()
        return session

    def _log_in(self, login: Any) -> Session:
        def text(name: str) -> str:
            return (login.findtext(name) or "").strip()

        parts = text("companyid").split("|")
        entity = text("locationid")
        company = parts[0]
        if len(parts) == 2:
            entity = parts[1] or entity
        elif len(parts) == 3:  # console|client|entity
            company, entity = parts[1], parts[2] or entity
        if text("clientid"):
            company = text("clientid")
        user = self._company.users.get(text("userid"))
        password_fits = user is not None and same(login.findtext("password") or "", user.password)
        known_entity = not entity or entity in self._company.entities
        if (
            user is None
            or not password_fits
            or company != self._company.id
            or not known_entity
            or not user.may_enter(entity)
        ):
            raise self._bad_login()
        now = self._clock().replace(microsecond=0)
        return Session("", user, entity, now, now + self._length())

    def _length(self) -> timedelta:
        return timedelta(minutes=self._company.knobs.session_minutes)

    @staticmethod
    def _bad_login() -> BookError:
        return BookError(
            GENERIC_XML, "Sign-in information is incorrect", "Check your credentials and try again."
        )
