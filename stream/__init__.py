"""Samples in time: sources, timeline, resampling, ring, frames, beds, wards and sinks."""

LONGEST_WAIT_S = 0.2
"""No thread waits longer without looking whether it shall stop."""
