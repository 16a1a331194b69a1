"""What was observed of the cameras, for ever: states, outages and the rates that are computed from them (promise I5)."""
