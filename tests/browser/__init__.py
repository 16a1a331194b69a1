"""What a person sees: the demo's Home Assistant in a real browser."""
