"""Proof: what the records of an execution are good for afterwards, to whoever was not there.

`replay` makes every decision again from what was recorded; `trail` recomputes the chain of the audit records.
"""
