"""What ends a demo early."""


class DemoError(Exception):
    """Something a person has to change. The text is the one sentence they are told."""
