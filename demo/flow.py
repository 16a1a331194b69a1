"""Walks Home Assistant's set-up dialogues by the calls that its page makes."""

from collections.abc import Mapping
from typing import Any

from .client import Client
from .problem import DemoError

#: A dialogue that goes on longer goes in a circle.
_MOST_STEPS = 12


async def walk(client: Client, start: Mapping[str, Any], answers: Mapping[str, Any], *, subentry: bool) -> Any:
    """Begin a dialogue with `start`, answer each step from `answers` (step → form's data, or the entry of a menu).

    Returns what the last step returned. A dialogue that is cancelled because the thing exists already is no failure.
    Raises `DemoError` if it is refused, or asks something that `answers` does not hold.
    """
    base = "/api/config/config_entries/" + ("subentries/flow" if subentry else "flow")
    step = await client.post(base, start)
    for _ in range(_MOST_STEPS):
        kind = step["type"]
        if kind in {"create_entry", "abort"}:
            return step
        if errors := step.get("errors"):
            told = step.get("description_placeholders") or {}
            raise DemoError(f"The dialogue refused the step {step['step_id']}: {errors} {told}")
        if kind not in {"form", "menu"} or step["step_id"] not in answers:
            raise DemoError(f"The dialogue asked for {step.get('step_id')} ({kind}), which the demo cannot answer.")
        answer = answers[step["step_id"]]
        body = {"next_step_id": answer} if kind == "menu" else answer(step) if callable(answer) else answer
        step = await client.post(f"{base}/{step['flow_id']}", body)
    raise DemoError("The dialogue does not come to an end.")


def fields(step: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a form by name, sections' too."""
    found: dict[str, Any] = {}
    for field in step["data_schema"]:
        found |= {inner["name"]: inner for inner in field["schema"]} if "schema" in field else {field["name"]: field}
    return found
