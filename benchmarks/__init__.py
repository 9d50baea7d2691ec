"""Measurements, printed as ratios of things measured in one run; nothing here is asserted."""
