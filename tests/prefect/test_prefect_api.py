"""Prefect's API as a process of the demo: started once, named for whoever runs flows, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from flows.prefect_api import PrefectApi
from tieout.errors import ConnectorError


def test_an_api_that_is_named_already_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    api = PrefectApi()
    api.wait()
    api.stop()
    assert os.environ["PREFECT_API_URL"] == "http://prefect.example/api"


def test_one_that_does_not_start_is_said_in_a_sentence_and_its_address_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    api = PrefectApi()
    assert os.environ["PREFECT_API_URL"].startswith("http://127.0.0.1:")
    with pytest.raises(ConnectorError, match="--plain"):
        api.wait()
    api.stop()
    assert "PREFECT_API_URL" not in os.environ
