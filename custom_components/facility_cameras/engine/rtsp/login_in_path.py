"""Logins that some makes hide in the path or query of an address (CAMERAS.md R30): such an address is a secret.

The one rule for everybody who shows an address: errors, logs, forms, downloads. It is shown up to the login; what stands
behind cannot be told from a password that holds "&", "_", "/" or "=" itself.
"""

import re

_LOGIN = re.compile(
    r"(?:user(?:[ _-]?name|id)?|usr|uid|login(?:use|user|pas|pass)?|account|"
    r"pass(?:w|wd|word|wort)?|psw|pswd|pwd|pw|auth(?:basic)?|authorization|token|secret|key)"
    r"(?:=|%3d)(?=.)",
    re.IGNORECASE | re.DOTALL,
)
#: How much is read for a login: addresses are no longer than this.
_MOST = 4096


def holds_login(address: str) -> bool:
    """Whether an address (or a path) seems to carry a user name, a password or a token behind its host."""
    return _LOGIN.search(address[:_MOST]) is not None


def masked(address: str) -> str:
    """An address (or a path) as people may see it."""
    found = _LOGIN.search(address[:_MOST])
    return address if found is None else f"{address[: found.end()]}***"
