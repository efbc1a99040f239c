"""What a company has said of its objects: the fields they have, those that cannot be queried, and the longest text each takes.

Asked once and kept by the caller; a client that is given it asks nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Described:
    """By upper-case object name: `names` of its fields, `barred` ones, `lengths` in characters. `is_new` once something was learnt."""

    names: dict[str, list[str]] = field(default_factory=dict)
    barred: dict[str, set[str]] = field(default_factory=dict)
    lengths: dict[str, dict[str, int]] = field(default_factory=dict)
    is_new: bool = False

    def add_names(self, object_name: str, names: Iterable[str]) -> None:
        """The fields of an object."""
        self.names[object_name] = list(names)
        self.is_new = True

    def bar(self, object_name: str, names: Iterable[str]) -> None:
        """Fields that exist and cannot be queried."""
        self.barred.setdefault(object_name, set()).update(names)
        self.is_new = True

    def add_lengths(self, object_name: str, lengths: Mapping[str, int]) -> None:
        """Longest texts of an object; an empty mapping says that it was asked and told nothing."""
        self.lengths[object_name] = dict(lengths)
        self.is_new = True
