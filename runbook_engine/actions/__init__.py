"""The actions that ship with the engine, one a file; the registry finds them by their `ACTION`."""
