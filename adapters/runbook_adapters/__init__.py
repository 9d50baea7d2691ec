"""Adapters: the ports of runbook_engine on real services, one module each, found through entry points."""
