"""Puts our blueprints into Home Assistant's folder: HACS brings only our own.

What a user changed or removed there stays as it is: a file is written only where there never was one, or where the one
that lies there is, byte for byte, one that we wrote.
"""

import hashlib
from pathlib import Path

from homeassistant.components.blueprint.const import DOMAIN as BLUEPRINT_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from .const import DOMAIN, LOGGER

_OURS = Path(__file__).parent / "blueprints"
_STORE_VERSION = 1


async def async_install(hass: HomeAssistant) -> None:
    """Install what is new. A folder that cannot be written costs the blueprints, nothing else."""
    store: Store[dict[str, str]] = Store(hass, _STORE_VERSION, f"{DOMAIN}.blueprints")
    known = await store.async_load() or {}
    try:
        written = await hass.async_add_executor_job(_install, Path(hass.config.path("blueprints")), known)
    except OSError as error:
        LOGGER.warning("Blueprints could not be installed: %s", error)
        return
    if not written:
        return
    await store.async_save(known | written)
    for blueprints in hass.data.get(BLUEPRINT_DOMAIN, {}).values():
        await blueprints.async_reset_cache()


def _install(folder: Path, known: dict[str, str]) -> dict[str, str]:
    """Write what is to be written; return the hash of each by its name."""
    written: dict[str, str] = {}
    for source in sorted(_OURS.rglob("*.yaml")):
        name = source.relative_to(_OURS).as_posix()
        content = source.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if known.get(name) == digest:
            continue
        target = folder / name
        if target.exists():
            found = hashlib.sha256(target.read_bytes()).hexdigest()
            if found not in (digest, known.get(name)):
                continue
        elif name in known:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        written[name] = digest
    return written
