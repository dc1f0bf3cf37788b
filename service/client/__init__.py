"""The service from Python: typed answers, problems as exceptions, changes that are safe to send twice."""

from service.client.client import Client, RefusedError

__all__ = ["Client", "RefusedError"]
