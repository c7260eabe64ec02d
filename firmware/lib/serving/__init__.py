"""Builds what serves masters on RS485 and clients on the network."""
