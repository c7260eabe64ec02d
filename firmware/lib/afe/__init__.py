"""Drivers of measuring chips: they copy what the chip says and carry out what they are told."""
