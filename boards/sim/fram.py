"""A simulated FM24CL64B: 8 KB of FRAM on I2C, in a file of the host.

Written from the data sheet (Cypress 001-84458), never from the driver: a 13-bit address in two
bytes, the upper three bits ignored; the address rises with each byte and goes from 1FFFh to 0000h;
a byte is in the memory with its acknowledge, without any wait; WP high: nothing is written, though
acknowledged bytes look the same. What is written goes through to the file, so that a run that ends
anywhere leaves what an FRAM would hold. A new chip holds zeros here.
"""

SIZE = 8192


class Fram:
    """In the file `path`, or in memory only if that is None.

    protected: WP is high. cut_after: the supply fails behind so many further bytes (None: never);
    from then on nothing is acknowledged.
    """

    address = 0x50

    def __init__(self, path=None):
        self.protected = False
        self.cut_after = None
        self.bytes_written = 0
        self.memory = bytearray(SIZE)
        self._file = _opened(path, self.memory) if path else None

    def read(self, register, buf):
        """Fill buf from an address on."""
        if self.cut_after == 0:
            raise OSError(19, "ENODEV")
        for at in range(len(buf)):
            buf[at] = self.memory[(register + at) % SIZE]

    def write(self, register, buf):
        """Take bytes from an address on; False where the supply fails."""
        for at in range(len(buf)):
            if self.cut_after == 0:
                break
            if self.cut_after is not None:
                self.cut_after -= 1
            if not self.protected:
                self.bytes_written += 1
                self.memory[(register + at) % SIZE] = buf[at]
        if self._file:
            self._file.seek(0)
            self._file.write(self.memory)
            self._file.flush()
        return self.cut_after != 0


def _opened(path, memory):
    """The file, made if it is missing; what it holds goes into `memory`."""
    try:
        file = open(path, "r+b")
    except OSError:
        with open(path, "wb") as new:
            new.write(memory)
        file = open(path, "r+b")
    file.readinto(memory)
    return file
