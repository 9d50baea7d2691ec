"""Rendering: pure functions from values to lines that people read and records that scripts read.

A `render_` function returns lines or text; a `record_` function returns what becomes one JSON object. Neither looks
at the world, the journal or the terminal.
"""
