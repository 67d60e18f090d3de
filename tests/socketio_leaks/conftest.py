"""Fixtures of the tests for leaks."""

from tests.drivers import driver

__all__ = ["driver"]
