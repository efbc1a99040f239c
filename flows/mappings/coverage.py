"""`tieout mappings`: coverage ranked by the money waiting, proposals for slips of spelling, and rows a person adds with name and reason."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from checks.contracts import ALL
from flows.mappings.files import add_row
from tieout.errors import InputError
from tieout.money import show
from tieout.warehouse import runs
from transforms.mapping.applied import resolve
from transforms.mapping.coverage import LISTS, SUBJECTS, Subject, coverage, used_codes
from transforms.mapping.proposals import proposals

if TYPE_CHECKING:
    from flows.wiring import House

PROPOSED_FOR: Final = {"stores": "store_ref", "items": "sku", "tenders": "tender_code"}
"""Mappings for which close spellings are looked up, and the key column that is compared."""

LISTED: Final = 20
_TABLES: Final = (
    "core.orders",
    "core.order_lines",
    "core.payments",
    "core.order_payments",
    "core.order_tenders",
    "core.returns",
    "core.stock",
)


def look(house: House) -> dict[str, Any]:
    """Every mapping with its codes by list, what each blocks, the rows to add and the proposals; ready for JSON."""
    tables = _tables(house)
    used = used_codes(tables, house.mappings["stores"], house.mappings["items"])
    found: dict[str, Any] = {"mappings": []}
    for subject in SUBJECTS:
        mapping = house.mappings[subject.name]
        rows = coverage(used[subject.name], mapping, subject)
        proposed = _proposed(subject, rows, mapping, tables)
        found["mappings"].append(_told(subject, rows, proposed))
    waiting = [
        code for one in found["mappings"] for code in one["codes"] if code["list"] in ("fixable", "missing")
    ]
    found["waiting_codes"] = len(waiting)
    found["exit_code"] = 1 if waiting else 0
    return found


def _tables(house: House) -> dict[str, pl.DataFrame]:
    with house.warehouse.read() as session:
        return {name: session.fetch(name) for name in _TABLES}


def _told(
    subject: Subject, rows: pl.DataFrame, proposed: Mapping[tuple[str, ...], list[dict[str, Any]]]
) -> dict[str, Any]:
    codes: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows.iter_rows(named=True):
        key = tuple(row[name] for name in subject.keys)
        one = codes.setdefault(
            key,
            {
                "code": dict(zip(subject.keys, key, strict=True)),
                "list": row["list_code"],
                "orders": 0,
                "amounts": {},
                "csv_row": row["csv_row"],
            },
        )
        one["orders"] += row["orders_count"]
        if row["currency"] is not None:
            one["amounts"][row["currency"]] = show(row["amount_minor"], row["currency"])
    for key, candidates in proposed.items():
        codes[key]["proposals"] = candidates
        if candidates[0]["is_clear"]:
            codes[key]["list"] = "fixable"
    counts = dict.fromkeys(LISTS, 0)
    for one in codes.values():
        counts[one["list"]] += 1
    return {
        "mapping": subject.name,
        "file": f"{subject.name}.csv",
        "blocks": subject.blocks,
        "counts": counts,
        "codes": list(codes.values()),
    }


def _proposed(
    subject: Subject, rows: pl.DataFrame, mapping: pl.DataFrame, tables: Mapping[str, pl.DataFrame]
) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Close known codes for each missing one, by its key; only codes of the same storefront (and entity) are held against it."""
    column = PROPOSED_FOR.get(subject.name)
    if column is None:
        return {}
    others = [name for name in subject.keys if name != column]
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    missing = rows.filter(pl.col("list_code") == "missing").unique(
        subject.keys, keep="first", maintain_order=True
    )
    for values, block in missing.group_by(others, maintain_order=True):
        scope = dict(zip(others, values, strict=True))
        known = _known(subject, column, scope, mapping, tables)
        for row in proposals(block[column].to_list(), known).iter_rows(named=True):
            key = tuple(row["code"] if name == column else scope[name] for name in subject.keys)
            found.setdefault(key, []).append(
                {"proposed": row["proposed"], "score": row["score"], "is_clear": row["is_clear"]}
            )
    return found


def _known(
    subject: Subject,
    column: str,
    scope: Mapping[str, Any],
    mapping: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
) -> list[str]:
    """Codes of a storefront that have a row: those of the file, and for SKUs also those its stock lists that a row fits."""
    fits = [pl.col(name).is_in([value, "*"]) for name, value in scope.items()]
    exact = mapping.filter(*fits, pl.col("mode") == "map", ~pl.col(column).str.ends_with("*"))[
        column
    ].to_list()
    if subject.name != "items":
        return exact
    listed = tables["core.stock"].filter(pl.col("source") == scope["storefront"])
    sold = tables["core.order_lines"].filter(
        (pl.col("storefront") == scope["storefront"])
        & (pl.col("kind_code") == "item")
        & pl.col("sku").is_not_null()
    )
    seen = pl.concat([listed.select("sku"), sold.select("sku")]).unique()
    mapped, _ = resolve(
        seen.with_columns(storefront=pl.lit(scope["storefront"])), mapping, ["storefront", "sku"]
    )
    return exact + mapped.filter(pl.col("mode") == "map")["sku"].to_list()


# ── adding rows ─────────────────────────────────────────────────────────────────────────────────────────────


def accept(
    house: House,
    name: str,
    key: Sequence[str],
    *,
    like: str,
    given: Mapping[str, str],
    author: str,
    reason: str,
) -> list[str]:
    """Add the row of one code to its CSV file: with the values of the known code `like`, or those `given` by column, or both.

    Raises `InputError` for a code that has a row already, or if nothing says what it means.
    """
    subject = _subject(name)
    code = _key(subject, key)
    mapping = house.mappings[name]
    values: dict[str, str | None] = {}
    score = None
    if like:
        column = PROPOSED_FOR.get(name)
        if column is None:
            raise InputError(f"{name}.csv has no proposals; say what the code means with --set COLUMN=VALUE.")
        model = {**code, column: like}
        rows, _ = resolve(pl.DataFrame([model]), mapping, subject.keys)
        if rows.is_empty():
            raise InputError(
                f"'{like}' has no row in {name}.csv itself, so its meaning cannot be taken over; use --set."
            )
        values = {one: rows[one][0] for one in mapping.columns if one not in subject.keys}
        if name == "items" and (values.get("item_ref") or "").endswith("*"):
            values["item_ref"] = _spelled_out(mapping, model, values["item_ref"] or "")
        close = proposals([code[column]], [like], least=0)
        score = close["score"][0] if close.height else None
    elif not given:
        raise InputError("Say what the code means: --like KNOWN, or --set COLUMN=VALUE for each column.")
    mapped_on_purpose = {"mode": "map"} if "mode" in mapping.columns else {}
    return _added(
        house, subject, code, {**mapped_on_purpose, **values, **given}, "accept", like, score, author, reason
    )


def ignore(house: House, name: str, key: Sequence[str], *, author: str, reason: str) -> list[str]:
    """Add a row that says the code is not mapped on purpose."""
    subject = _subject(name)
    if "mode" not in house.mappings[name].columns:
        raise InputError(f"{name}.csv knows no ignored codes; every code of it needs a meaning.")
    return _added(house, subject, _key(subject, key), {"mode": "ignore"}, "ignore", "", None, author, reason)


def _subject(name: str) -> Subject:
    for subject in SUBJECTS:
        if subject.name == name:
            return subject
    raise InputError(
        f"There is no mapping '{name}' here; choose one of {', '.join(one.name for one in SUBJECTS)}."
    )


def _key(subject: Subject, key: Sequence[str]) -> dict[str, str]:
    if len(key) != len(subject.keys):
        raise InputError(
            f"A code of {subject.name}.csv is given as {' '.join(one.upper() for one in subject.keys)}; {len(key)} word(s) were given."
        )
    return dict(zip(subject.keys, key, strict=True))


def _spelled_out(mapping: pl.DataFrame, model: Mapping[str, str], item_ref: str) -> str:
    """The item of the known SKU itself: a `*` stands for what that SKU's own row leaves open, not for the misspelt one's rest."""
    rules = mapping.with_columns(rule=pl.col("sku")).select("storefront", "sku", "rule")
    rows, _ = resolve(pl.DataFrame([model]), rules, ["storefront", "sku"])
    rest = model["sku"].removeprefix(rows["rule"][0].removesuffix("*"))
    return item_ref.removesuffix("*") + rest


def _added(
    house: House, subject: Subject, code: Mapping[str, str], values: Mapping[str, str | None], action: str, like: str,
    score: int | None, author: str, reason: str,
) -> list[str]:  # fmt: skip
    if not author.strip() or not reason.strip():
        raise InputError(
            f"`tieout mappings {action}` needs --author and --reason; both are kept beside the row."
        )
    table = ALL[f"mappings.{subject.name}"]
    unknown = sorted(set(values) - set(table.polars_schema))
    if unknown:
        raise InputError(
            f"{subject.name}.csv has no column {unknown[0]}; its columns are {', '.join(table.polars_schema)}."
        )
    mapped, _ = resolve(pl.DataFrame([dict(code)]), house.mappings[subject.name], subject.keys)
    if mapped.height:
        raise InputError(
            f"{', '.join(code.values())} has a row in {subject.name}.csv already; change it in the file."
        )
    now = house.clock()
    note = f"{now:%Y-%m-%d} {author.strip()}: {reason.strip()}" + (f" (like {like})" if like else "")
    row = {**values, **code, "note": note}
    run_id = runs.new_run_id(now=now, rng=random.SystemRandom())
    changes = ALL["ops.mapping_changes"]
    path = house.settings.path(house.settings.installation.mappings) / f"{subject.name}.csv"
    with house.warehouse.write(run_id=run_id) as session:
        line = add_row(path, table, row, lock_seconds=house.settings.installation.lock_seconds)
        audit = {
            "run_id": run_id, "mapping": subject.name, "code": " ".join(code.values()), "action": action,
            "csv_row": line, "proposed_like": like or None, "score_no": score, "author": author.strip(),
            "reason": reason.strip(), "at": now,
        }  # fmt: skip
        frame = pl.DataFrame([audit], schema=changes.polars_schema)
        session.publish(
            changes.name, changes.checked(frame, at="when adding a mapping"), key=changes.key, mode="append"
        )
    house.__dict__.pop("mappings", None)
    return [f"added to {subject.name}.csv: {line}", "Run `tieout run check` to let the orders it held go on."]


def history(house: House) -> list[str]:
    """Rows added by command, newest first."""
    with house.warehouse.read() as session:
        rows = session.fetch("ops.mapping_changes").sort("at", "run_id", descending=True)
    if rows.is_empty():
        return ["No row was added by command yet."]
    return [
        f"{row['at']:%Y-%m-%d %H:%M} {row['author']}: {row['action']} {row['mapping']} {row['code']} – {row['reason']}"
        for row in rows.iter_rows(named=True)
    ]


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────


def as_text(found: Mapping[str, Any]) -> str:
    """Coverage for a terminal: counts of each mapping, then what waits with the money, the row to add and what it may have meant."""
    told: list[str] = []
    for one in found["mappings"]:
        counts = ", ".join(f"{number} {name}" for name, number in one["counts"].items() if number)
        told.append(f"{one['file']:<16} {counts or 'no codes in use'}")
    waiting = [
        (one, code)
        for one in found["mappings"]
        for code in one["codes"]
        if code["list"] in ("fixable", "missing")
    ]
    if not waiting:
        return "\n".join([*told, "", "Every code in use is mapped or ignored on purpose."])
    for one in found["mappings"]:
        mine = [code for code in one["codes"] if code["list"] in ("fixable", "missing")]
        if not mine:
            continue
        told += ["", f"{one['file']} – a code without a row blocks {one['blocks']}:"]
        for code in mine[:LISTED]:
            money = ", ".join(f"{amount} {currency}" for currency, amount in sorted(code["amounts"].items()))
            blocked = f"{code['orders']} order(s)" + (f", {money}" if money else "")
            told.append(
                f"  {' '.join(code['code'].values())}: {blocked if code['orders'] else 'no order waits'}"
            )
            told.append(f"      add: {code['csv_row']}")
            for candidate in code.get("proposals", []):
                sure = "" if candidate["is_clear"] else ", one of several"
                words = " ".join(_quoted(value) for value in code["code"].values())
                told.append(
                    f"      like {candidate['proposed']} ({candidate['score']} of 100{sure})? "
                    f"tieout mappings accept {one['mapping']} {words} --like {_quoted(candidate['proposed'])}"
                )
        if len(mine) > LISTED:
            told.append(f"  … and {len(mine) - LISTED} more; --json lists all")
    return "\n".join(told)


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)
