"""The tables that name methods name those that exist, and all that they must name."""

from shared import allowed_callers, deadlines
from tests.contract.rpc_methods import ALL_METHODS, IMAGE_PART_METHODS, PACKAGES, path_of

PATHS = {path_of(method) for method in ALL_METHODS}
NAMES = {*PACKAGES, "gateway", "operator"}


def test_every_method_has_callers_and_the_table_names_nothing_else():
    ours = {path for path in allowed_callers._METHODS if path.startswith("/batos.")}
    assert ours == PATHS
    assert all(allowed_callers.callers_of(path) for path in PATHS)


def test_callers_are_names_that_certificates_are_issued_for():
    assert {name for path in PATHS for name in allowed_callers.callers_of(path)} <= NAMES


def test_nobody_and_strangers_may_call_nothing():
    for path in [*PATHS, "/batos.memory.v1.MemoryService/Guess", ""]:
        assert not allowed_callers.is_allowed("", path)
        assert not allowed_callers.is_allowed("stranger", path)


def test_only_watches_run_without_a_deadline():
    endless = {path for path in PATHS if deadlines.seconds_for(path) is None}
    assert endless == {path for path in PATHS if path.rpartition("/")[2].startswith("Watch")}


def test_the_deadline_table_names_methods_that_exist():
    assert set(deadlines._SECONDS) | deadlines._ENDLESS <= PATHS


def test_lists_page_and_watches_resume():
    for method in ALL_METHODS:
        request, response = (
            set(message.fields_by_name) for message in (method.input_type, method.output_type)
        )
        if method.name.startswith("List"):
            assert {"page_size", "page_token"} <= request, method.full_name
            assert "next_page_token" in response, method.full_name
        if method.name.startswith("Watch"):
            assert "after_sequence" in request, method.full_name
            assert method.server_streaming, method.full_name


def test_every_mutation_takes_a_request_id():
    reading = ("Get", "List", "Watch", "Search", "Export", "Verify")
    runs = ("Execute", "ExecuteStream", "Session")
    upkeep = ("Optimize", "Reembed")  # asked for again, they find nothing left to do
    for method in ALL_METHODS:
        if method in IMAGE_PART_METHODS:  # each names its images, and is the same done twice
            assert method.name in ("GetPart", "Import", "Retain") or names_image(method)
            continue
        mutates = not method.name.startswith(reading) and method.name not in runs + upkeep
        assert ("request_id" in method.input_type.fields_by_name) == mutates, method.full_name


def names_image(method) -> bool:
    return "image" in method.input_type.fields_by_name
