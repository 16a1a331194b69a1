"""Simulated ONVIF cameras for these tests."""

from tests.onvif_cameras import start_camera

__all__ = ["start_camera"]
