"""Loading: from files that people write to values that the engine runs. Imports nothing, so that a host stays light."""
