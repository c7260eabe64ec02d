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
victron|a Victron GX device (Venus OS)|CAN 0x307 with the letters VIC
sma|an SMA Sunny Island, or what speaks like it|CAN 0x305 or 0x306 with values in them
growatt|a Growatt inverter|CAN 0x301 with 11 22 33
byd_client|an inverter that expects a BYD HVS battery|CAN 0x151 or 0x0D1
luxpower|a Luxpower or EG4 inverter|CAN 0x300
pylontech_can|an inverter that keeps up a Pylontech battery|CAN 0x305 with nothing in it
deye|a Deye inverter or a relative|CAN 0x305 only as an answer to 0x356
wide|an inverter for high voltage batteries, or another bus|CAN frames with 29-bit identifiers
"""
