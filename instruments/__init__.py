"""Drivers: one file per instrument, client and ophyd device together."""
