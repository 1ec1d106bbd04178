from pathlib import Path

from deploy.local.topology import ALL_SERVICES, EDGE_SERVICES, environments, free_ports


def test_ports_differ():
    ports = free_ports(6)
    assert len(set(ports)) == 6


def test_every_service_knows_every_address_and_keeps_its_own_state():
    addresses = {name: f"127.0.0.1:{n}" for n, name in enumerate(ALL_SERVICES, start=1000)}
    variables = environments(list(ALL_SERVICES.values()), addresses, Path("/data"))
    assert variables["memory"]["BATOS_MEMORY_LISTEN"] == addresses["memory"]
    assert len({v for e in variables.values() for k, v in e.items() if "DATA_DIR" in k}) == 6
    for environment in variables.values():
        assert environment["OLLAMA_HOST"] == f"http://{addresses['model-server']}"
        assert environment["BATOS_SANDBOX_ADDRESS"] == addresses["sandbox-executor"]


def test_the_gateway_is_apart_and_has_an_identity_of_its_own():
    gateway = EDGE_SERVICES["gateway"]
    assert "gateway" not in ALL_SERVICES
    addresses = {"gateway": "127.0.0.1:1", "model-server": "127.0.0.1:2"}
    kinds = [gateway, ALL_SERVICES["model-server"]]
    variables = environments(kinds, addresses, Path("/data"), Path("/identities"))
    assert variables["gateway"]["BATOS_TLS_DIR"] == "/identities/gateway"
    assert "BATOS_TLS_DIR" not in variables["model-server"]
