"""Intake: what one delivery means for episodes, incidents and executions, as one value to store at once.

Reads the journal, decides, and writes nothing: the engine stores the result, and builds it again when somebody
else was faster.
"""
