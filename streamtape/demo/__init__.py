"""A server to try streamtape with: no key, no network, and streams that are cut where it hurts."""

from streamtape.demo.server import DemoServer, demo_server

__all__ = ["DemoServer", "demo_server"]
