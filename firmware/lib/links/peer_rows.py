"""Who may be at the other side of a link: one row each.

Columns: name | what people call it | what it is known by
The line number is the value of the point `link_peer`, so only ever append. The first is nobody in
particular.
"""

ROWS = b"""
unknown|not known|Nothing that would tell was heard
modbus_master|a Modbus master|Requests with the framing and CRC of Modbus RTU
sunspec_master|a SunSpec client|Modbus reads at register 40000 and above
pylontech_master|an inverter or reader that speaks Pylontech RS485|ASCII frames that begin with ~
jbd_master|an application for JBD batteries|Frames that begin with DD A5 or DD 5A
modbus_client|a Modbus TCP client|Requests over TCP
"""
