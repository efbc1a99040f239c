"""What the gateway says when it refuses, in the numbers and words that are publicly known.

Where a number is not publicly known the company file carries a knob for it; where a text is only known from the
field it is kept short, because clients match on parts of it.
"""

from __future__ import annotations

SCHEMA = "XL03000003"
GENERIC_XML = "XL03000006"
ROLLED_BACK = "XL03000009"
OVERPAID = "XL03000027"
RATE_LIMIT = "GW-0010"
UNUSABLE = "GW-0011"
BUSINESS = "BL01001973"
DUPLICATE_ID = "BL34000061"
DUPLICATE_AUTO = "PL05000104"
DUPLICATE_NUMBER = "BL03002185"
NUMBER_REQUIRED = "BL03002128"
LINE_INCOMPLETE = "BL03002101"
LOCATION_EMPTY = "BL03001994"
BAD_VALUE = "BL03000018"
TRANSFER_TYPE = "BL03002129"
DOCUMENT_NUMBER_MISSING = "PL01000127"
EXPIRED_COMPANY = "PL04000055"
NO_PERMISSION = "PL04000005"
PROCESSING = "DL02000001"
WRONG_KEY = "DL03000005"
SERVICE_PERMISSION = "WSP001"

ROLLED_BACK_TEXT = "The entire transaction in this operation has been rolled back due to an error."


class BookError(Exception):
    """One refusal: number, sentence, hint. `wrappers` are the lines the gateway adds after the cause.

    `details` feeds the additional information block: errorid, category, object and field.
    """

    def __init__(
        self,
        errorno: str,
        description2: str,
        correction: str = "",
        *,
        description: str = "",
        details: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{errorno}: {description2}")
        self.errorno = errorno
        self.description = description
        self.description2 = description2
        self.correction = correction
        self.details = details or {}
        self.wrappers: list[tuple[str, str]] = []

    def wrapped(self, noun: str, verb: str = "create") -> BookError:
        """Add the line that follows every failed write, such as "Could not create Customer record!"."""
        line = (BUSINESS, f"Could not {verb} {noun} record!")
        if line not in self.wrappers:
            self.wrappers.append(line)
        return self

    def lines(self) -> list[tuple[str, str, str, str]]:
        """All error lines, cause first: (errorno, description, description2, correction)."""
        first = (self.errorno, self.description, self.description2, self.correction)
        return [first, *((number, "", text, "") for number, text in self.wrappers)]


def invalid(what: str, value: str) -> BookError:
    """An id that names nothing: "Invalid Customer 'C-1' specified."."""
    return BookError(
        BUSINESS,
        f"Invalid {what} '{value}' specified.",
        f"Use a valid {what}.",
        details={"errorid": "AR-0103", "category": "Invalid Reference", "field": what},
    )


def illegal(label: str, value: str = "") -> BookError:
    """A value of the wrong form: "Illegal format for: Primary Email Address"."""
    shown = f" '{value[:40]}'" if value else ""
    return BookError(
        BAD_VALUE,
        f"Illegal format for{shown}: {label}",
        "Correct the value and try again.",
        details={"errorid": "CO-0018", "category": "Invalid Value", "field": label},
    )


def duplicate(what: str, value: str) -> BookError:
    """An id that is taken already."""
    return BookError(
        DUPLICATE_ID,
        f"Another {what} with the given value(s) {value}  already exists",
        "Use a unique value instead.",
        details={"errorid": "CO-0061", "category": "Duplication Prevention", "object": what},
    )


def missing(label: str) -> BookError:
    """A required field that is not there."""
    return BookError(
        BUSINESS,
        f"Required field {label} is missing.",
        f"Provide a value for {label}.",
        details={"errorid": "CO-0002", "category": "Required Field", "field": label},
    )
