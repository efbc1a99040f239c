"""The order of files in a whole run: the longest begin first, so that no worker waits for one that began last.

Polars takes one thread, here and in the processes that tests start: the tables of tests are small, and threads that wait for each other
cost a quarter of the whole run. That any number of threads says the same is a test of its own (properties/test_properties_cores.py).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("POLARS_MAX_THREADS", "1")

HERE = Path(__file__).parent
LONG = (
    "prefect",
    "nightly",
    "storefronts",
    "staging",
    "bench",
    "matching",
    "properties",
    "files",
    "closing",
    "writeback",
    "posting",
    "soak",
    "extract",
    "stock",
    "sandbox",
)
"""Folders by how long their longest file takes; all others are short."""


def pytest_collection_finish() -> None:
    """What has been imported and collected stays to the end; looking through it again and again for garbage is work for nothing."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Houses of one process share what is the same for all of them."""
    from made_once import copied_when_empty

    with copied_when_empty(tmp_path_factory.mktemp("warehouses")):
        yield


@pytest.fixture(scope="module")
def kept_attached() -> Iterator[None]:
    """For files of tests whose houses nobody opens but the process that runs them: their warehouses stay attached between transactions."""
    from made_once import kept_attached as kept

    with kept():
        yield


def pytest_unconfigure() -> None:
    """At the end everything goes as usual."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files stay together and in their own order: some of them tell a story from test to test."""
    places = {folder: at for at, folder in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.relative_to(HERE).parts[0], len(LONG)))
