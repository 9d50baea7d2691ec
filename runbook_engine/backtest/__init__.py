"""Backtest: what runbooks would have done in the past, and what a change of them changes. Looks, never touches.

History is replayed through the engine's own intake on a journal in memory, with the clock pushed along; what was not
written down is counted as unknown, and never guessed.
"""
