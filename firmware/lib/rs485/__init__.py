"""The RS485 port: one line, several masters' languages."""
