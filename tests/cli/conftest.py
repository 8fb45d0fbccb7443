from tests.client.conftest import service

__all__ = ["service"]
