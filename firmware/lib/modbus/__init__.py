"""Modbus: the server core, its RTU transport and the register map made from the tables."""
