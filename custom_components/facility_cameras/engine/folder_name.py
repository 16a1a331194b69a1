"""Names of folders in an archive: readable by people, made of harmless characters, unique by the id's end."""

import re
import unicodedata


def folder_name(name: str, identity: str) -> str:
    """`Cổng chính`, `01K…ABCDEF` → `cong-chinh-abcdef`. Both come from outside: nothing of them is taken as it is."""
    plain = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-")
    tail = re.sub(r"[^a-z0-9]", "", identity.lower())[-6:] or "0"
    return f"{slug}-{tail}" if slug else tail
