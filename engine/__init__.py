"""Twelve leads from few: leads, physics, filters, model and backends, reconstruction.

This room knows no socket, no thread, no clock and no Qt.
"""
