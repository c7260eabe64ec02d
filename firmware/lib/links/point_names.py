"""Names of the points that show how the links are; in memory only while somebody needs them."""

POINTS = (
    "link_frames_in",
    "link_frames_out",
    "link_crc_errors",
    "link_timeouts",
    "link_unknown",
    "link_age_s",
    "link_peer",
    "link_verdict",
    "can_transmit_errors",
    "can_receive_errors",
    "can_bus_offs",
)
"""In the order of `values` of links.diagnosis."""
