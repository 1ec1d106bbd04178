"""All methods of all services, from the descriptors, so that a new one is never forgotten."""

from collections.abc import Iterator

from batos.image.v1 import image_pb2
from batos.memory.v1 import memory_pb2
from batos.sandbox.v1 import sandbox_pb2
from batos.supervisor.v1 import supervisor_pb2
from batos.toolforge.v1 import toolforge_pb2
from batos.trainer.v1 import trainer_pb2
from google.protobuf.descriptor import MethodDescriptor

PACKAGES = {
    "memory": memory_pb2,
    "sandbox-executor": sandbox_pb2,
    "toolforge": toolforge_pb2,
    "trainer": trainer_pb2,
    "supervisor": supervisor_pb2,
}


def methods_of(service: str) -> Iterator[MethodDescriptor]:
    """The methods of one service."""
    (descriptor,) = PACKAGES[service].DESCRIPTOR.services_by_name.values()
    yield from descriptor.methods


def path_of(method: MethodDescriptor) -> str:
    """As gRPC names it: "/package.Service/Method"."""
    return f"/{method.containing_service.full_name}/{method.name}"


# Served by every stateful service beside its own methods.
(_image_part,) = image_pb2.DESCRIPTOR.services_by_name.values()
IMAGE_PART_METHODS = list(_image_part.methods)
ALL_METHODS = [method for service in PACKAGES for method in methods_of(service)]
ALL_METHODS += IMAGE_PART_METHODS
