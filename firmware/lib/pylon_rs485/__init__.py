"""Pylontech's protocol on RS485: the battery that an inverter asks in ASCII."""
