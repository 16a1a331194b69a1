"""The product at work: simulated cameras, a real Home Assistant, and everything set up through its own pages' calls."""
