"""quality_scale.yaml tells of every rule of Home Assistant's quality scale whether it is kept, and why not."""

from tests.repository.source import INTEGRATION, read_yaml

BRONZE = """
action-setup appropriate-polling brands common-modules config-flow config-flow-test-coverage dependency-transparency
docs-actions docs-conditions docs-high-level-description docs-installation-instructions docs-removal-instructions
docs-triggers entity-event-setup entity-unique-id has-entity-name runtime-data test-before-configure test-before-setup
unique-config-entry
"""
SILVER = """
action-exceptions config-entry-unloading docs-configuration-parameters docs-installation-parameters entity-unavailable
integration-owner log-when-unavailable parallel-updates reauthentication-flow test-coverage
"""
GOLD = """
devices diagnostics discovery discovery-update-info docs-data-update docs-examples docs-known-limitations
docs-supported-devices docs-supported-functions docs-troubleshooting docs-use-cases dynamic-devices entity-category
entity-device-class entity-disabled-by-default entity-translations exception-translations icon-translations
reconfiguration-flow repair-issues stale-devices
"""
PLATINUM = "async-dependency inject-websession strict-typing"
RULES = set(f"{BRONZE} {SILVER} {GOLD} {PLATINUM}".split())


def test_every_rule_is_answered() -> None:
    rules = read_yaml(INTEGRATION / "quality_scale.yaml")["rules"]
    assert not RULES - set(rules), "rules without an answer"
    assert not set(rules) - RULES, "rules that do not exist"
    for rule, answer in rules.items():
        status = answer if isinstance(answer, str) else answer["status"]
        assert status in {"done", "exempt", "todo"}, rule
        if status != "done":
            assert isinstance(answer, dict), f"{rule}: say why"
            assert answer.get("comment"), f"{rule}: say why"
