"""The lean AWS client: the few calls that a function makes at every alert, signed and sent over urllib3.

It looks like boto3's client to whoever calls it, and costs a tenth. What it does not know boto3 does, which is loaded
then and not before. `docs/aws.md` tells when it is used, ADR 17 why there is one.
"""
