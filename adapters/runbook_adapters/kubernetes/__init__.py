"""Adapter `kubernetes`: one cluster through its own API, as raw JSON.

One choice under `adapters.cluster` serves a cluster whole: its workloads, their settings, nodes and pods, jobs,
events, changes and logs. What it is built of is imported in `build`, so that an installation without a cluster
pays nothing.
"""
