"""Error elements of a reply, with the additional information a request may ask for.

Source: Sage Intacct Web Services documentation, Requests (showadditionalerrorinfo).
"""

from __future__ import annotations

from tieout.sandbox.intacct import markup
from tieout.sandbox.intacct.refusals import BookError


def error_lines(refusal: BookError, more: bool, support_id: bool) -> str:
    """All error elements of one refusal, with additional information when the request asks for it."""
    found = []
    for number, (errorno, description, description2, correction) in enumerate(refusal.lines()):
        if support_id and number == 0 and description2:
            description2 += " [Support ID: Zy4Qb%7EaXk1mT]"
        block = _additional(refusal, description2, correction) if more else ""
        found.append(markup.error(errorno, description, description2, correction, block))
    return "".join(found)


def _additional(refusal: BookError, text: str, correction: str) -> str:
    details = refusal.details
    message = "IA." + "_".join((details.get("category") or "Business Rule").upper().split())

    def block(name: str, words: str) -> str:
        placeholders = (
            markup.parent(
                "placeholder",
                (markup.element("name", "FIELD"), markup.element("value", details.get("field", ""))),
            )
            if details.get("field")
            else ""
        )
        return markup.parent(
            name,
            (
                markup.element("messageid", message if words else ""),
                markup.parent("placeholders", placeholders),
            ),
        )

    target = markup.parent(
        "target",
        (
            markup.element("domain", "AR"),
            markup.element("requestinfo"),
            markup.element("object", details.get("object", "")),
            markup.element("field", details.get("field", "")),
            markup.element("businessinfo"),
        ),
    )
    return markup.parent(
        "additionalinfo",
        (
            markup.element("errorid", details.get("errorid", "")),
            markup.element("category", details.get("category", "")),
            target,
            block("description", text),
            block("cdescription", ""),
            block("correction", correction),
        ),
    )
