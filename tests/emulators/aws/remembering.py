"""What moto works out anew each time and finds the same each time, worked out once in a process.

The tree of a definition and that of a path into JSON are only read; what an execution keeps is made from them anew.
"""

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from moto.sns.models import Subscription
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import json_path

from tests.emulators.aws.patches import Patches

PARSE = AmazonStateLanguageParser.parse
NEW_KEY = Subscription.private_key

path_of = cache(json_path.parse)


def install(patches: Patches) -> None:
    """Let every account share what was worked out."""
    patches.replace(json_path, "parse", path_of)
    patches.replace(AmazonStateLanguageParser, "parse", staticmethod(program_of))
    patches.replace(Subscription, "private_key", lambda subscription: key())


def program_of(definition: str) -> tuple[Any, Any]:
    """Return a program of its own, and the tree that it is made from."""
    tree = tree_of(definition)
    return Preprocessor().visit(tree), tree


@cache
def tree_of(definition: str) -> Any:
    """Return the tree of a definition. One that is refused is refused each time."""
    _, tree = PARSE(definition)
    return tree


@cache
def key() -> RSAPrivateKey:
    """Return the key that signs messages: any will do, and making one takes as long as a test."""
    made: RSAPrivateKey = NEW_KEY(None)
    return made
