"""Which runbooks an alert asks for, at a cost that does not grow with their number, and why."""
