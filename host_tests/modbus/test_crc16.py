"""CRC vectors: published ones, pymodbus, and the definition bit by bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from modbus.crc16 import crc16

# Check value of CRC-16/MODBUS in the catalogue of parametrised CRC algorithms (reveng).
# 02 07 -> 41 12: the worked example of "Modbus over serial line V1.02", appendix B.
# The frames with slave 11h: the request and response examples on simplymodbus.ca.
VECTORS = (
    ("313233343536373839", 0x4B37),
    ("0207", 0x1241),
    ("1103006b0003", 0x8776),
    ("110306ae4156524340", 0xAD49),
    ("110400080001", 0x98B2),
    ("110600010003", 0x9B9A),
    ("11100001000204000a0102", 0xF0C6),
    ("111000010002", 0x9812),
)


@pytest.mark.parametrize(("text", "expected"), VECTORS)
def test_published_vectors(text, expected):
    data = bytes.fromhex(text)
    assert crc16(data, 0, len(data)) == expected


@given(st.binary(max_size=260))
def test_agrees_with_pymodbus(data):
    low_byte_first = crc16(data, 0, len(data)).to_bytes(2, "little")
    assert low_byte_first == FramerRTU.compute_CRC(data).to_bytes(2, "big")


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_looks_only_at_the_given_range(before, data, after):
    whole = before + data + after
    assert crc16(whole, len(before), len(before) + len(data)) == crc16(data, 0, len(data))


@given(st.binary(max_size=250))
def test_a_frame_with_its_crc_leaves_no_remainder(data):
    frame = data + crc16(data, 0, len(data)).to_bytes(2, "little")
    assert crc16(frame, 0, len(frame)) == 0
