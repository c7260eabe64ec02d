"""CRC-8 of the BQ769x2 serial link: polynomial 0x07, initial value 0 (afe.md section 1).

A table of 256 bytes: in CRC mode every data byte on the wire has its own CRC, so that a lookup is
all that most bytes need.
"""


def _table():
    table = bytearray(256)
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc << 1) ^ 0x07 if crc & 0x80 else crc << 1
        table[value] = crc & 0xFF
    return bytes(table)


TABLE = _table()
"""`TABLE[crc ^ byte]` is the CRC after one more byte; `TABLE[byte]` that of a byte alone."""
