"""The zip as Lambda unpacks it, and accounts one after the other."""

from tests.pipeline.rie.conftest import zip_folder

__all__ = ["zip_folder"]
