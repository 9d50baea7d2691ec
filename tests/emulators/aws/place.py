"""Where the test bed is: one region of one account, and the names of its resources there."""

REGION = "eu-west-1"
ACCOUNT = "123456789012"


def arn(service: str, resource: str) -> str:
    """Return the name of a resource of this account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
