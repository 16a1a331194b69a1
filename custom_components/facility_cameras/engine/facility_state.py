"""What is told of one facility's footage: how much, how old, how much room, how deleting goes; and its rules."""

from . import footage
from .api import FacilityConfig, FacilityState, VolumeCause, VolumeState
from .archive.archive import Archive
from .archive.cleaner import Report
from .archive.retention import DAY_US, YOUNGEST_US, Rules


def rules(facility: FacilityConfig) -> Rules:
    """What decides which of a facility's footage is deleted."""
    return Rules(facility["days_to_keep"], facility["quota_bytes"], max(facility["least_days"] * DAY_US, YOUNGEST_US))


def facility_state(
    facility: FacilityConfig, archive: Archive | None, figures: tuple[int, int, str], now_us: int
) -> FacilityState:
    """The state of a facility, as the API tells it. `figures`: holds, bytes under them, what is wrong with their second
    copy. Blocks.
    """
    volume = archive.volume if archive is not None else None
    hidden_files, hidden_bytes = archive.hidden if archive is not None else (0, 0)
    size, oldest = footage.stored(archive, facility["id"]) if archive is not None else (0, None)
    report = archive.cleaner.report if archive is not None else Report()
    outlook = archive.cleaner.outlook.get(facility["id"]) if archive is not None else None
    first_us = archive.cleaner.oldest.get(facility["id"]) if archive is not None else None
    number, held, problem = figures
    return {
        "id": facility["id"],
        "archive": facility["archive"],
        "volume": volume.state.value if volume else VolumeState.MISSING.value,
        "volume_cause": volume.cause.value if volume else VolumeCause.NONE.value,
        "kept_bytes": archive.kept_bytes if archive is not None else 0,
        "hidden_files": hidden_files,
        "hidden_bytes": hidden_bytes,
        "total_bytes": volume.total if volume else 0,
        "free_bytes": volume.free if volume else 0,
        "footage_bytes": size,
        "oldest": oldest,
        "days_kept": max(0, now_us - first_us) / DAY_US if first_us is not None else None,
        "days_possible": outlook.possible if outlook is not None else None,
        "days_promised": outlook.promised if outlook is not None else facility["days_to_keep"],
        "days_short": outlook is not None and outlook.short,
        "cleaning": {
            "last": report.last_us,
            "due_files": report.due_files,
            "due_bytes": report.due_bytes,
            "failed_since": report.failed_since_us,
            "failed_why": report.failed_why,
            "frees_nothing_since": report.frees_nothing_since_us,
            "stuck_files": report.stuck_files,
            "stuck_path": report.stuck_path,
            "stuck_why": report.stuck_why,
            "young_since": report.young_since_us,
            "over_quota": facility["id"] in report.over_quota,
        },
        "holds": number,
        "held_bytes": held,
        "copy_problem": problem,
    }
