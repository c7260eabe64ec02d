"""What can be said about a link, and what to check next: one row each.

Columns: links it is for | rank | facts it needs | facts that must not be | name | what it means |
what to check next
Facts are those of links.diagnosis.FACT_NAMES, over the last ten seconds. Of all rows whose facts
hold, the highest rank speaks. The line number is the value of the point `link_verdict`, so only
ever append; the first row is what is said when no other holds.
"""

ROWS = b"""
can rs485 tcp bluetooth|0|||closed|This link is not in use|
rs485 tcp bluetooth|10|open heard||well|Requests come in and are answered|
rs485 tcp bluetooth|5|open|ever|never_heard|Nothing that could be understood ever came|Check that the master is set to this port, its speed (`get modbus_baud`) and the address; then the wires: A to A, B to B, and the grounds
rs485 tcp bluetooth|6|open ever|heard|silent|There were requests before, but none in the last ten seconds|A master that polls slowly is well; else look at its cable and whether it is switched on
rs485|20|open noisy|heard|only_noise|Bytes come in, but no request|Another speed or parity (8 bits, none, 1 stop bit here), A and B swapped, no common ground, or a protocol that `rs485_protocol` excludes
rs485|21|open noisy heard||noisy|At least one frame in four is damaged|Look for a missing or second terminating resistor (120 ohm at both ends), a missing ground, a cable beside the motor or inverter cable, or two devices that answer to one address
rs485 tcp|12|open heard damaged|noisy|some_damaged|Requests are answered, but some arrive damaged|Watch `link_crc_errors`: if it grows steadily, check termination and ground
rs485|15|open foreign|heard|other_address|Requests come in, but for another address|Compare the address that the master asks with `get modbus_address` and `get pylontech_address`
rs485 tcp bluetooth|25|open late||can_not_send|Answers could not be sent in time, or requests end half-way|A master that gives up too early (its time-out should be 500 ms or more), or a line that something else holds
rs485 tcp bluetooth|14|open refused||refused|Somebody asks for what there is not, or may not ask|For Modbus TCP: add the client's address (`get modbus_tcp_client`). Else the master has the register map or the profile of another battery
rs485 tcp bluetooth|30|open stopped||port_closed|The port itself failed|Restart; if it stays so, the adapter or the board's transceiver has failed
"""
