"""What `check` names: one thing about an archive that does not keep to the promises."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is for programs, `promise` the one that is not kept ("" for none), `path` relative to the archive ("" if it
    is about no file), `sentence` for people.
    """

    code: str
    promise: str
    path: str
    sentence: str
