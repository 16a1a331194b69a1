"""Pictures out of what was received: decoded in a process of its own, never in the engine's (promise I7: apart)."""
