"""A processor's own CAN controller: machine.CAN behind the same methods as canbus.mcp2515.

Written from MicroPython's documentation (docs/library/machine.CAN.rst, 1.29 and the development
branch of 2026); it was not run on hardware. Where the two differ, the method says so.
Goals: whoever drives an MCP2515 drives this; nothing waits for the bus.

machine.CAN's names are the names of our drivers, which get shorter ones on a board
(docs/shrinking.md). A name in a string keeps its text in the whole program, also where no such
controller is; so here they are strings in two parts, of which neither is a name.
"""


class NativeCan:
    """The controller that `make(bitrate)` constructs, in bit/s; on the bus at once.

    bitrate_kbit: 125, 250 or 500. Raises ValueError (of the port) for what it can not do.
    """

    def __init__(self, make, bitrate_kbit):
        self._bitrate = 1000 * bitrate_kbit
        can = make(self._bitrate)
        self.STATE_STOPPED = getattr(can, "STATE_STO" + "PPED")
        self.STATE_ACTIVE = getattr(can, "STATE_ACT" + "IVE")
        self.STATE_WARNING = getattr(can, "STATE_WAR" + "NING")
        self.STATE_PASSIVE = getattr(can, "STATE_PAS" + "SIVE")
        self.STATE_BUS_OFF = getattr(can, "STATE_BUS" + "_OFF")
        self.FLAG_RTR = getattr(can, "FLAG_R" + "TR")
        self.FLAG_EXT_ID = getattr(can, "FLAG_EX" + "T_ID")
        self.RECV_ERR_OVERRUN = getattr(can, "RECV_ERR_OV" + "ERRUN")
        self.TX_QUEUE_LEN = getattr(can, "TX_QUE" + "UE_LEN")
        self.FILTERS_MAX = getattr(can, "FILTERS_M" + "AX")
        self._init = getattr(can, "ini" + "t")
        self._send = getattr(can, "sen" + "d")
        self._restart = getattr(can, "resta" + "rt")
        self._set_filters = getattr(can, "set_fil" + "ters")
        self._get_counters = getattr(can, "get_coun" + "ters")
        self.recv = getattr(can, "rec" + "v")
        self.cancel_send = getattr(can, "cancel_se" + "nd")
        self.state = getattr(can, "sta" + "te")
        self._filters = None
        self.set_filters(None)

    def set_filters(self, filters):
        """Accept what matches one of these (identifier, bit_mask, 0); None: everything.

        A filter whose mask is 0 takes 29-bit frames too, as the MCP2515's last one does; the
        port's would not, so it stands for everything.
        """
        if filters is not None:
            for _, mask, _ in filters:
                if mask == 0:
                    filters = None
                    break
        self._filters = filters
        self._set_filters(filters)

    def restart(self):
        """Back to the bus from bus-off, with nothing waiting; a controller that stopped is set up
        anew."""
        if self.state() == self.STATE_STOPPED:
            self._init(self._bitrate)
            self._set_filters(self._filters)
        else:
            self._restart()

    def send(self, identifier, data, flags=0):
        """Queue a frame: its place in the queue, or None if that is full or, unlike an MCP2515,
        the controller is in bus-off (machine.CAN raises OSError then). Frames leave by
        identifier."""
        try:
            return self._send(identifier, data, flags)
        except OSError:
            return None

    def get_counters(self, counters):
        """Fill and return the list `counters`; what the port does not count is 0."""
        self._get_counters(counters)
        for place in range(len(counters)):
            if counters[place] is None:
                counters[place] = 0
        return counters
