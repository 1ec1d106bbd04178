"""All services as processes of this machine, for the demo and the integration tests."""

from deploy.local.stack import LocalStack, ServiceDied
from deploy.local.topology import ALL_SERVICES

__all__ = ["ALL_SERVICES", "LocalStack", "ServiceDied"]
