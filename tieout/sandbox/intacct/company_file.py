"""Reading and checking a company file, section by section."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tieout.sandbox.intacct.company import (
    Company,
    CompanyError,
    Definition,
    Entity,
    FinancialEntity,
    Knobs,
    Place,
    Sender,
    User,
)

KINDS = ("asset", "liability", "equity", "income", "expense")
CUSTOMISABLE = (
    "CUSTOMER",
    "ITEM",
    "ARINVOICE",
    "ARINVOICEITEM",
    "ARADJUSTMENT",
    "ARADJUSTMENTITEM",
    "ARPYMT",
)
PERMISSIONS = {"read", "write", "audit"}
_CHOICES = {
    "replay_level": ("result", "operation"),
    "culprit_shape": ("failure", "aborted"),
    "after_culprit": ("aborted", "absent"),
    "duplicate_numbers": ("company", "customer", "off"),
    "numbering": ("sequence", "required"),
    "customer_numbering": ("sequence", "required"),
    "lengths": ("refuse", "truncate", "off"),
    "gl_detail_amounts": ("signed", "absolute"),
    "replay_scope": ("sender", "user", "entity"),
    "result_id_scope": ("user", "session", "any"),
    "delete_audit_key": ("record", "suffixed", "id"),
    "return_amounts": ("positive", "negative"),
}


class CompanyFile:
    """Turns the tables of a company file into a Company; collects every problem instead of stopping at the first."""

    def __init__(self, raw: dict[str, Any], source: str) -> None:
        self.raw, self.source = raw, source
        self.problems: list[str] = []

    def say(self, problem: str) -> None:
        self.problems.append(problem)

    def rows(self, section: str, *required: str) -> list[dict[str, Any]]:
        found = self.raw.get(section, [])
        if not isinstance(found, list):
            self.say(f"[[{section}]] must be a list of tables")
            return []
        good, seen = [], set()
        for number, row in enumerate(found, 1):
            absent = [name for name in required if not isinstance(row.get(name), str) or not row[name]]
            key = row.get(required[0]) if required else None
            if absent:
                self.say(f"[[{section}]] number {number} lacks {', '.join(absent)}")
            elif key in seen and section != "rates":
                self.say(f"[[{section}]] '{key}' is there twice")
            else:
                seen.add(key)
                good.append(row)
        return good

    def table(self, section: str) -> dict[str, Any]:
        found = self.raw.get(section, {})
        if not isinstance(found, dict):
            self.say(f"[{section}] must be a table")
            return {}
        return found

    def known(self, what: str, value: str, pool: Any, where: str) -> str:
        if value not in pool:
            self.say(f"{where} names the {what} '{value}', which is not in the file")
        return value

    def company(self) -> Company:
        head = self.table("company")
        if not isinstance(head.get("id"), str) or not head.get("id"):
            self.say("[company] lacks id")
        company = Company(
            str(head.get("id", "")), str(head.get("name", head.get("id", ""))), bool(head.get("expired"))
        )
        self.people(company)
        self.places(company)
        self.chart(company)
        self.definitions(company)
        self.rate_table(company)
        company.knobs = self.knobs()
        for name, longest in self.table("lengths").items():
            if not isinstance(longest, int) or longest < 1:
                self.say(f"[lengths] {name} must be a whole number above 0")
            else:
                company.lengths[name] = longest
        for name, names in self.table("custom_fields").items():
            if name not in CUSTOMISABLE or not isinstance(names, list):
                self.say(
                    f"[custom_fields] {name} must be one of {', '.join(CUSTOMISABLE)}, with a list of names"
                )
            else:
                company.custom_fields[name] = [str(one) for one in names]
        company.customers = self.rows("customers", "CUSTOMERID", "NAME")
        company.items = self.rows("items", "ITEMID")
        if self.problems:
            raise CompanyError(self.source, self.problems)
        return company

    def people(self, company: Company) -> None:
        for row in self.rows("senders", "id", "password"):
            company.senders[row["id"]] = Sender(row["id"], row["password"], bool(row.get("authorised", True)))
        for row in self.rows("users", "id", "password"):
            permissions = frozenset(row.get("permissions", ["read", "write"]))
            if permissions - PERMISSIONS:
                self.say(
                    f"[[users]] '{row['id']}' has unknown permissions {sorted(permissions - PERMISSIONS)}"
                )
            company.users[row["id"]] = User(
                row["id"], row["password"], tuple(row.get("entities", ["*"])), permissions
            )
        for section, found in (("senders", company.senders), ("users", company.users)):
            if not found:
                self.say(f"[[{section}]] is empty: nobody could sign in")

    def places(self, company: Company) -> None:
        numbers = iter(range(1, 1_000_000))
        for row in self.rows("entities", "id", "name", "currency"):
            closed = row.get("closed_through")
            if closed is not None and not isinstance(closed, date):
                self.say(f"[[entities]] '{row['id']}': closed_through must be a date")
                closed = None
            company.entities[row["id"]] = Entity(
                row["id"], row["name"], row["currency"], closed, next(numbers)
            )
        if not company.entities:
            self.say("[[entities]] is empty: at least one entity is needed")
        for user in company.users.values():
            for entity in user.entities:
                if entity != "*":
                    self.known("entity", entity, company.entities, f"[[users]] '{user.id}'")
        for row in self.rows("locations", "id", "name", "entity"):
            self.known("entity", row["entity"], company.entities, f"[[locations]] '{row['id']}'")
            company.locations[row["id"]] = Place(row["id"], row["name"], row["entity"], next(numbers))
        for row in self.rows("warehouses", "id", "location"):
            self.known("location", row["location"], company.locations, f"[[warehouses]] '{row['id']}'")
            name = str(row.get("name", row["id"]))
            company.warehouses[row["id"]] = Place(row["id"], name, row["location"], next(numbers))
        for section, pool in (
            ("departments", company.departments),
            ("projects", company.projects),
            ("classes", company.classes),
        ):
            for row in self.rows(section, "id"):
                pool[row["id"]] = str(row.get("name", row["id"]))

    def chart(self, company: Company) -> None:
        for number, row in self.table("accounts").items():
            if not isinstance(row, dict) or row.get("kind") not in KINDS:
                self.say(f"[accounts] '{number}' needs a title and a kind of {', '.join(KINDS)}")
            else:
                company.accounts[number] = {"title": str(row.get("title", number)), "kind": row["kind"]}
        for name in ("ar_control", "gain_loss", "inter_entity", "undeposited", "revenue"):
            account = str(self.table("posting").get(name, ""))
            company.posting[name] = self.known("account", account, company.accounts, f"[posting] {name}")
        for label, account in self.table("account_labels").items():
            company.account_labels[label] = self.known(
                "account", account, company.accounts, f"[account_labels] '{label}'"
            )
        for row in self.rows("financial_entities", "id", "entity", "account"):
            where = f"[[financial_entities]] '{row['id']}'"
            self.known("account", row["account"], company.accounts, where)
            if self.known("entity", row["entity"], company.entities, where) in company.entities:
                entity = company.entities[row["entity"]]
                company.financial_entities[row["id"]] = FinancialEntity(
                    row["id"],
                    str(row.get("name", row["id"])),
                    entity.id,
                    row["account"],
                    str(row.get("currency", entity.currency)),
                    company.location_of(entity.id),
                )
        company.journals = {str(key): str(value) for key, value in self.table("journals").items()}
        for needed in ("ARJ", "CRJ", "ARAJ"):
            self.known("journal", needed, company.journals, "the AR subledger")
        for name, days in self.table("terms").items():
            if not isinstance(days, int) or days < 0:
                self.say(f"[terms] '{name}' must be a number of days")
            else:
                company.terms[name] = days
        for name, row in self.table("tax_details").items():
            where = f"[tax_details] '{name}'"
            try:
                rate = Decimal(str(row["rate"]))
                account = self.known("account", str(row["account"]), company.accounts, where)
                company.tax_details[name] = (account, rate)
            except (KeyError, TypeError, InvalidOperation):
                self.say(f"{where} needs an account and a rate in percent")

    def definitions(self, company: Company) -> None:
        for section, pool in (
            ("order_definitions", company.order_definitions),
            ("inventory_definitions", company.inventory_definitions),
        ):
            for row in self.rows(section, "name"):
                posts = str(row.get("posts", "none"))
                if posts not in ("AR", "AR credit", "none"):
                    self.say(f"[[{section}]] '{row['name']}': posts must be AR, AR credit or none")
                pool[row["name"]] = Definition(
                    row["name"],
                    str(row.get("prefix", "")),
                    posts,
                    bool(row.get("entity_only", False)),
                    dict(row.get("totals", {})),
                )
        for name, account in self.table("subtotals").items():
            company.subtotals[name] = self.known(
                "account", account, company.accounts, f"[subtotals] '{name}'"
            )

    def rate_table(self, company: Company) -> None:
        for row in self.rows("rates", "type", "reference"):
            self.one_rate_row(company, row)
        for found in company.rates.values():
            found.sort(key=lambda line: line[0])
        company.currencies |= {entity.currency for entity in company.entities.values()}

    def one_rate_row(self, company: Company, row: dict[str, Any]) -> None:
        where = f"[[rates]] '{row['type']}' on {row.get('on')}"
        try:
            per_unit = {code: Decimal(str(value)) for code, value in row["per_unit"].items()}
            if not isinstance(row["on"], date) or any(value <= 0 for value in per_unit.values()):
                raise ValueError
        except (KeyError, AttributeError, InvalidOperation, ValueError):
            self.say(f"{where} needs a date and positive rates in per_unit")
            return
        company.rates.setdefault(row["type"], []).append((row["on"], row["reference"], per_unit))
        company.currencies |= {row["reference"], *per_unit}

    def knobs(self) -> Knobs:
        given, known = self.table("knobs"), {one.name: one for one in fields(Knobs)}
        good: dict[str, Any] = {}
        for name, value in given.items():
            default = getattr(Knobs(), name) if name in known else None
            if name not in known:
                self.say(f"[knobs] has no knob '{name}'")
            elif isinstance(default, bool) is not isinstance(value, bool) or (
                isinstance(default, str) is not isinstance(value, str)
            ):
                self.say(f"[knobs] {name} must be a {type(default).__name__}")
            elif name in _CHOICES and value not in _CHOICES[name]:
                self.say(f"[knobs] {name} must be one of {', '.join(_CHOICES[name])}")
            else:
                good[name] = value
        return Knobs(**good)
