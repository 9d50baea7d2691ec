"""A service that cannot be loaded."""

raise RuntimeError("this release does not start")
