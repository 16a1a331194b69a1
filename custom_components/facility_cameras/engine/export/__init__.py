"""Footage handed over: copied whole, with a manifest, checksums and the time beside it, so that anybody can check it."""
