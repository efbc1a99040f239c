"""Doctor: looks at everything a night needs, and says what to fix. It changes nothing, but for taking back a halt once sign-in works and keeping what Intacct says of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieout.errors import TieoutError

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.intacct.gateway import Intacct


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    sentence: str


def examine(house: House) -> list[Finding]:
    """Configuration, mappings, secrets, warehouse, connections, rights, closed periods, coverage of the mappings."""
    found = [Finding("configuration", ok=True, sentence="tieout.toml is valid")]
    found.append(_try("mappings", lambda: f"{len(house.mappings)} files are sound"))
    found.append(_try("warehouse", lambda: f"{house.warehouse.path} opens"))
    for name in house.settings.storefronts:
        found += _storefront(house, name)
    if house.settings.intacct is not None:
        found += _intacct(house)
    if all(one.ok for one in found[:3]):
        found += _coverage(house)
    return found


def _try(what: str, work: object) -> Finding:
    try:
        return Finding(what, ok=True, sentence=str(work()))  # type: ignore[operator]
    except TieoutError as fault:
        return Finding(what, ok=False, sentence=str(fault))


def _storefront(house: House, name: str) -> list[Finding]:
    try:
        problems, well = house.kind(name).examine(house.storefront(name))
    except TieoutError as fault:
        return [Finding(f"storefront {name}", ok=False, sentence=str(fault))]
    if problems:
        return [Finding(f"storefront {name}", ok=False, sentence=one) for one in problems]
    return [Finding(f"storefront {name}", ok=True, sentence=well)]


def _intacct(house: House) -> list[Finding]:
    from flows.sources.describing import recall, remember

    described = recall(house)
    try:
        client = house.intacct(although_halted=True, described=described)
    except TieoutError as fault:
        return [Finding("Intacct", ok=False, sentence=str(fault))]
    try:
        problems = client.ping()
        if problems:
            return [Finding("Intacct", ok=False, sentence=one) for one in problems]
        house.resume("intacct")
        found = [Finding("Intacct", ok=True, sentence="signs in and may read what is needed")]
        for entity in house.settings.entities:
            found.append(_books(house, client, entity.code))
        found += _order_entry(house, client)
        client.learn_limits()
        remember(house, "doctor", described)
        told = sum(bool(lengths) for lengths in described.lengths.values())
        said = (
            f"says how long the texts of {told} of its objects may be"
            if told
            else "says no lengths of its fields; the published ones are used"
        )
        return [*found, Finding("Intacct fields", ok=True, sentence=said)]
    except TieoutError as fault:
        return [Finding("Intacct", ok=False, sentence=str(fault))]
    finally:
        client.close()


def _order_entry(house: House, client: Intacct) -> list[Finding]:
    """Whether sales of stores that post through order entry can be sent and followed to their AR invoices; nothing where none does."""
    from flows.posting.sales_documents import invoices_of, source_rows

    try:
        some = "order_entry" in house.mappings["stores"]["posting_code"]
    except TieoutError:
        return []  # said beside the mappings
    if not some:
        return []
    definition = house.settings.order_entry.definition
    if not definition:
        said = "stores.csv posts through order entry and [order_entry] names no definition; name the transaction definition of sales invoices."
        return [Finding("order entry", ok=False, sentence=said)]
    try:
        invoices_of(client, [f"{definition}-0"])
        if house.settings.order_entry.orders != "none":
            source_rows(client, [f"{house.settings.order_entry.order_definition}-0"])
    except TieoutError as fault:
        said = f"sales documents cannot be followed, so nothing could be converted or paid: {fault}"
        return [Finding("order entry", ok=False, sentence=said)]
    return [Finding("order entry", ok=True, sentence=f"'{definition}' can be followed to its AR invoices")]


def _books(house: House, client: object, entity: str) -> Finding:
    what = f"Intacct entity {entity}"
    try:
        closed = client.closed_through(entity)  # type: ignore[attr-defined]
    except TieoutError as fault:
        return Finding(what, ok=False, sentence=str(fault))
    starts = house.ledger.posting_starts_on
    if closed is not None and starts is not None and starts <= closed:
        return Finding(
            what,
            ok=False,
            sentence=f"books are closed through {closed} and posting starts on {starts}; reopen the period or move posting_starts_on.",
        )
    return Finding(
        what,
        ok=True,
        sentence=f"books are closed through {closed}" if closed else "no closed books are reported",
    )


def _coverage(house: House) -> list[Finding]:
    """Codes of staged orders without a mapping, by the newest check."""
    with house.warehouse.read() as session:
        checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"}, columns=["run_id"])
        if checks.is_empty():
            return [
                Finding(
                    "coverage",
                    ok=True,
                    sentence="nothing has been staged and checked yet; run `tieout run nightly`",
                )
            ]
        findings = session.fetch("ops.findings", where={"run_id": checks["run_id"].max()})
    unmapped = findings.filter(findings["rule_code"].str.ends_with("_unmapped"))
    if unmapped.is_empty():
        return [
            Finding(
                "coverage",
                ok=True,
                sentence="every store, SKU, tender and tax code of the staged orders is mapped",
            )
        ]
    return [
        Finding(f"coverage {rule}", ok=False, sentence=f"{count} order(s); {sentence}")
        for rule, count, sentence in sorted(
            (rule, block.height, block["sentence"][0]) for (rule,), block in unmapped.group_by("rule_code")
        )
    ]
