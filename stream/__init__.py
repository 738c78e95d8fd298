"""Samples in time: sources, resampling, ring, frames, beds and sinks."""
