"""Tests of the engine and of the simulator run without Home Assistant."""

import pytest


@pytest.fixture(autouse=True)
def verify_cleanup() -> None:
    """In the place of the test plug-in's: it knows only Home Assistant's own threads (the simulator encodes in one)."""
