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
can|10|open sent heard||can_well|Frames go out, and the inverter sends its own|If it shows no state of charge all the same: set the battery type in its menu to that of `inverter_profile`, and restart it completely, since many take a new type only then
can|9|open sent|ever|can_never_heard|Frames are acknowledged, but the inverter never sent its own|Some inverters never do. If it shows no battery: set its battery type to lithium with CAN and to that of `inverter_profile`, and look whether the plug is in the CAN socket, not in the RS485 one
can|11|open sent lost|heard|can_silent|The inverter sent its own frames before, but does not any more|Look whether it shows a battery fault; a fault of communication often stays until the inverter is restarted completely
can|12|open sent damaged||can_damaged|Frames pass, but some arrive damaged|Check that the line is terminated at both ends and nowhere else (60 ohm between CAN-H and CAN-L, all off), twisted, and away from power cables
can|24|open sent late||can_late|Some frames could not be sent in time|Too much traffic, or an inverter that stops acknowledging: watch `link_timeouts`; a GX device shows how many frames are on the bus
can|22|open language||can_other_language|The inverter speaks another language than `inverter_profile`|See who is at the other side, and set `inverter_profile` to growatt_lv for a Growatt, byd_hv for an inverter that expects BYD HVS, else to the battery type that is set in the inverter. One that speaks in 29-bit identifiers wants a high voltage battery: choose another type in its menu
can|27|open twin||can_twin|Another battery sends the same frames on this bus|Disconnect it or connect its own way: an inverter takes one battery on a bus, and believes them in turn
can|28|open late|sent|can_no_acknowledge|Frames are offered, but nobody acknowledges them|There is no second node, CAN-H and CAN-L are swapped, or the bit rate is wrong (`get can_bitrate_kbit`; inverters use 500). All off, measure 60 ohm between the lines: 120 is one resistor missing, less than 50 a short or one too many
can|30|open stopped||can_bus_off|The controller had to leave the bus|CAN-H and CAN-L touch each other or a supply, or a node has another bit rate: unplug the inverter; if it stays so, look at the transceiver and its supply
can|31|open gone||can_no_controller|The CAN controller does not answer|Check its supply, its crystal and the SPI wires
"""
