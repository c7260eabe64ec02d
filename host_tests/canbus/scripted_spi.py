"""An SPI device without any behaviour of a chip: it remembers, and answers what a test put there.

WRITE and READ work on a plain register memory, RESET puts the mode registers back; everything else
is only recorded. It knows the instructions of DS20001801J table 12-1 and nothing of what they do.
"""


class ScriptedSpi:
    """`transactions`: the bytes sent between two edges of chip select, as bytes objects."""

    def __init__(self):
        self.registers = bytearray(128)
        self.status = 0  # what READ STATUS answers
        self.buffers = {0x90: bytes(13), 0x94: bytes(13)}  # what READ RX BUFFER answers
        self.transactions = []
        self.remembers = True  # whether written registers keep their value
        self.stuck = None  # level of a broken MISO line, as a byte
        self.fails = False  # whether transfers raise OSError
        self.selected = False

    def select(self, level):
        """The chip-select pin."""
        assert level in (0, 1)
        assert self.selected == bool(level), "chip select must change with every call"
        self.selected = not level

    def write(self, out):
        assert self.selected
        if self.fails:
            raise OSError("the SPI peripheral failed")
        sent = bytes(out)
        self.transactions.append(sent)
        if sent[0] == 0xC0:
            self.registers[0x0E:0x10] = bytes((0x80, 0x87))  # CANSTAT, CANCTRL
        if sent[0] == 0x02 and self.remembers:
            self.registers[sent[1] : sent[1] + len(sent) - 2] = sent[2:]

    def write_readinto(self, out, reply):
        assert len(out) == len(reply), "machine.SPI wants equal lengths"
        self.write(out)
        sent = bytes(out)
        answer = bytes(len(sent))
        if sent[0] == 0x03:
            answer = b"\0\0" + self.registers[sent[1] : sent[1] + len(sent) - 2]
        elif sent[0] == 0xA0:
            answer = bytes((0, self.status))
        elif sent[0] in self.buffers:
            answer = b"\0" + self.buffers[sent[0]]
        if self.stuck is not None:
            answer = bytes((self.stuck,)) * len(sent)
        reply[:] = answer
