"""The web page of the runner: what needs a person, what happened, and what to do about it."""
