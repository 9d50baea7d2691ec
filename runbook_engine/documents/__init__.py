"""What authors write: pydantic models of the kinds Runbook, RunbookTest and EngineConfig."""
