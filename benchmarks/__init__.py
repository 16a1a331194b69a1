"""Benchmarks: each prints a table for people and ends in one line of JSON. `script/bench NAME [--quick]` runs one."""
