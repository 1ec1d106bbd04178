"""NetworkPolicies let pods reach each other exactly as shared/allowed_callers.py lets them call."""

import pytest

from deploy.local.topology import ALL_SERVICES
from shared import allowed_callers
from shared.settings import ModelBackend
from tests.contract.kubernetes_manifests import (
    EMBEDDED,
    INSTALLER,
    OVERLAYS,
    SERVICES,
    compose,
    container,
    names_selected,
    of_kind,
    pods,
    rendered,
    settings_of,
)

STATEFUL = ("memory", "toolforge", "trainer")
EVERYWHERE = {"default-deny", "dns", "internet", "metrics"}


def callees(method):
    """Which pods serve a method of the table."""
    package = method.split(".")[1]
    if package == "image":  # a part of the whole, which the Supervisor makes of its own accord
        return STATEFUL
    return [name for name in SERVICES if name.partition("-")[0] == package]


def allowed(objects):
    """(caller, callee, port) of all calls that may be made."""
    ports = {
        name: container(pod)["ports"][0]["containerPort"] for name, pod in pods(objects).items()
    }
    calls = {
        (caller, callee)
        for method in allowed_callers._METHODS
        if method.startswith("/batos.")
        for caller in allowed_callers.callers_of(method)
        for callee in callees(method)
    }
    calls -= {("gateway", callee) for callee in SERVICES}  # runs beside the cluster
    calls |= {(name, "ollama") for name in SERVICES if issubclass(settings_of(name), ModelBackend)}
    return {(caller, callee, ports[callee]) for caller, callee in calls}


def flows(objects, direction, peers):
    """(caller, callee, port) that one direction of the policies lets through between pods."""
    found = set()
    for name, policy in of_kind(objects, "NetworkPolicy").items():
        if name in EVERYWHERE:
            continue
        (own,) = names_selected(policy["spec"]["podSelector"])
        for rule in policy["spec"].get(direction, []):
            assert all(set(peer) == {"podSelector"} for peer in rule[peers])
            others = [n for peer in rule[peers] for n in names_selected(peer["podSelector"])]
            for port in rule["ports"]:
                assert port["protocol"] == "TCP"
                pairs = [(o, own) if direction == "ingress" else (own, o) for o in others]
                found |= {(*pair, port["port"]) for pair in pairs}
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_reach_whom_they_may_call_and_nobody_else(overlay):
    objects = rendered(overlay)
    expected = allowed(objects)
    assert flows(objects, "ingress", "from") == expected
    assert flows(objects, "egress", "to") == expected


@pytest.mark.parametrize("overlay", [*OVERLAYS, INSTALLER])
def test_what_no_policy_allows_is_denied(overlay):
    policy = of_kind(rendered(overlay), "NetworkPolicy")["default-deny"]["spec"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_way_out_is_for_those_who_have_it_in_compose(overlay):
    known = compose() | (compose(EMBEDDED) if overlay.endswith("embedded") else {})
    expected = {name for name, each in known.items() if "egress" in each.get("networks", ())}
    policy = of_kind(rendered(overlay), "NetworkPolicy").get("internet")
    assert set(names_selected(policy["spec"]["podSelector"]) if policy else ()) == expected


def test_the_way_out_leads_to_no_private_address():
    (rule,) = of_kind(rendered("base"), "NetworkPolicy")["internet"]["spec"]["egress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]
    blocked = {net for peer in rule["to"] for net in peer["ipBlock"]["except"]}
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
    assert private | {"169.254.0.0/16", "fe80::/10"} <= blocked


def test_whoever_calls_or_goes_out_can_look_names_up():
    objects = rendered("base")
    policies = of_kind(objects, "NetworkPolicy")
    dns, way_out = policies["dns"]["spec"], policies["internet"]["spec"]
    calling = {caller for caller, _, _ in allowed(objects)}
    outgoing = set(names_selected(way_out["podSelector"]))
    assert set(names_selected(dns["podSelector"])) == calling | outgoing
    (rule,) = dns["egress"]
    assert {(p["protocol"], p["port"]) for p in rule["ports"]} == {("UDP", 53), ("TCP", 53)}


def test_the_sandbox_executor_reaches_nobody():
    assert "sandbox-executor" not in {caller for caller, _, _ in allowed(rendered("base"))}
    spec = of_kind(rendered("base"), "NetworkPolicy")["sandbox-executor"]["spec"]
    assert "egress" not in spec
    assert "Egress" in spec["policyTypes"]


def test_names_of_pods_are_those_of_certificates():
    assert {caller for caller, _, _ in allowed(rendered("base"))} <= {*ALL_SERVICES, "operator"}
