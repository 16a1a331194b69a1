"""Names that more than one file of the integration uses."""

import logging
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "facility_cameras"
LOGGER = logging.getLogger(__package__)

PLATFORMS: Final = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CAMERA,
    Platform.EVENT,
    Platform.IMAGE,
    Platform.SENSOR,
    Platform.SWITCH,
]

#: Kind of config subentry that is one camera.
SUBENTRY_CAMERA: Final = "camera"
#: Kind of config subentry that is none: its flow exports footage.
SUBENTRY_EXPORT: Final = "export"

# Facility (config entry data); user name and password of all its cameras use Home Assistant's own keys.
CONF_ARCHIVE: Final = "archive"
CONF_ARCHIVE_ID: Final = "archive_id"
CONF_DAYS_TO_KEEP: Final = "days_to_keep"
CONF_TIME_ZONE: Final = "time_zone"
CONF_LEAST_DAYS: Final = "least_days"
CONF_QUOTA_GB: Final = "quota_gb"
CONF_SECOND_COPY: Final = "second_copy"
CONF_SECOND_COPY_ID: Final = "second_copy_id"
CONF_PLANNED_CAMERAS: Final = "planned_cameras"

# Camera (config subentry data); url, username and password use Home Assistant's own keys.
CONF_AUDIO: Final = "audio"
CONF_RECORD: Final = "record"
CONF_ZONE: Final = "zone"
CONF_DEVICE: Final = "device"
CONF_WHEN: Final = "when"
CONF_WHEN_ENTITY: Final = "when_entity"
CONF_SENSITIVITY: Final = "sensitivity"
CONF_CHANGING_AREAS: Final = "changing_areas"
CONF_BEFORE: Final = "before_s"
CONF_AFTER: Final = "after_s"
CONF_CONNECT: Final = "connect"
CONF_RETIRED: Final = "retired"
CONF_REQUIRED_ENTITY: Final = "required_entity"
#: Of each switch the last change: by whom, when, by what.
CONF_CHANGES: Final = "changes"

#: When a camera is recorded.
WHEN_ALWAYS: Final = "always"
WHEN_ENTITY: Final = "entity"

DEFAULT_DAYS_TO_KEEP: Final = 30
DEFAULT_PLANNED_CAMERAS: Final = 8

#: The kinds of place a camera looks at, as the order of 2021 lists them.
ZONES: Final = [
    "gate",
    "yard",
    "reception",
    "medical_check",
    "sampling",
    "goods",
    "lobby",
    "corridor",
    "bathroom_outside",
    "other",
]
