"""Read-only collectors of evidence, one a file; the registry finds them by their `COLLECTOR`."""
