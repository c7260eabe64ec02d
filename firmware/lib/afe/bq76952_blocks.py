"""The data memory of a BQ76952 as blocks of bytes, ready to be transferred.

`bq76952_settings` decides what stands in it. Needed while a chip is programmed; once built,
nothing here allocates, makes a float or an integer of 2**30.
"""

from bms.table import give_back, rows


def blocks():
    """All items of bq76952_items as blocks of neighbours: address (low, high), then the data, by
    ascending address. Items that are computed are 0."""
    from afe.bq76952_items import ROWS

    items = []
    sizes = []
    end = None
    for row in rows(ROWS):
        address = int(row[0], 16)
        size = int(row[1])
        items.append((address, size, 0 if row[2] == "*" else int(row[2], 16)))
        if address != end:
            sizes.append(0)
        sizes[-1] += size
        end = address + size
    give_back("afe.bq76952_items")
    view = memoryview(bytearray(sum(sizes) + 2 * len(sizes)))
    runs = []
    at = 0
    end = None
    for address, size, _ in items:
        if address != end:
            run = view[at : at + 2 + sizes[len(runs)]]
            run[0] = address & 0xFF
            run[1] = address >> 8
            runs.append(run)
            at += len(run)
        end = address + size
    for address, size, value in items:
        put(runs, address, size, value)
    return runs


def put(runs, address, size, value):
    """Little-endian; negative values become two's complement by themselves.

    The whole item must be listed. Raises IndexError if it is not.
    """
    number = 0
    while True:
        run = runs[number]
        at = address - (run[0] | run[1] << 8)
        if 0 <= at < len(run) - 2:
            break
        number += 1
    for place in range(size):
        run[2 + at + place] = value & 0xFF
        value >>= 8


def put_float(runs, address, numerator, denominator, exponent):
    """IEEE-754 single of numerator / denominator * 2**exponent, without making a float.

    Long division, one mantissa bit a round; all numbers stay below 2**30 if both are below
    2**29.
    """
    while numerator < denominator:
        numerator *= 2
        exponent -= 1
    while numerator >= 2 * denominator:
        denominator *= 2
        exponent += 1
    mantissa = 1
    rest = numerator - denominator
    for _ in range(23):
        rest *= 2
        mantissa *= 2
        if rest >= denominator:
            rest -= denominator
            mantissa += 1
    if 2 * rest >= denominator:
        mantissa += 1
    exponent += mantissa >> 24  # rounded up to the next power of two
    put(runs, address, 2, mantissa)
    put(runs, address + 2, 1, mantissa >> 16 & 0x7F | (exponent + 127 & 1) << 7)
    put(runs, address + 3, 1, exponent + 127 >> 1)
