"""Frozen values of the domain. No I/O, no behaviour beyond what a value can say about itself."""
