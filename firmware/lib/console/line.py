"""One line of typing: bytes in, an echo and finished lines out.

Understands backspace, Ctrl-C (forget the line), Ctrl-U (empty the line) and any of CR, LF, CR LF
as the end of a line. Keys that send an escape sequence (arrows, Home) do nothing, and neither do
bytes outside ASCII. A line longer than MAX_LENGTH is never cut: it is refused as a whole, because
half a setting is another setting.
Whatever bytes came before, the next end of line leaves a fresh line.
"""

MAX_LENGTH = 120

# What `feed` answers.
NOTHING = 0
LINE = 1  # `text` holds a finished line
TOO_LONG = 2  # a line ended that was longer than MAX_LENGTH

_CTRL_C = 0x03
_BELL = 0x07
_BACKSPACE = 0x08
_LF = 0x0A
_CR = 0x0D
_CTRL_U = 0x15
_ESCAPE = 0x1B
_FIRST_PRINTABLE = 0x20
_DELETE = 0x7F  # what most terminals send for the backspace key

# Where in an escape sequence we are (ECMA-48 5.3, 5.4).
_PLAIN = 0
_AFTER_ESCAPE = 1
_IN_SEQUENCE = 2  # after ESC [: up to a final byte
_ONE_MORE = 3  # after ESC O: one byte
_INTRODUCERS = {0x5B: _IN_SEQUENCE, 0x4F: _ONE_MORE}
_FIRST_FINAL = 0x40


class LineEditor:
    """Collects one line. `echo` is what the terminal should see next; the owner empties it."""

    def __init__(self, prompt):
        self._prompt = prompt.encode()
        self._line = bytearray()
        self._overlong = False
        self._after_cr = False
        self._escape = _PLAIN
        self.text = ""
        self.echo = bytearray()

    def feed(self, byte):
        """Take one byte. Returns NOTHING, LINE or TOO_LONG."""
        after_cr = self._after_cr
        self._after_cr = byte == _CR
        if byte == _LF and after_cr:
            return NOTHING
        if byte in (_CR, _LF):
            return self._end()
        if byte == _CTRL_C:
            self._forget()
            self.echo.extend(b"^C\r\n" + self._prompt)
        elif byte == _ESCAPE:
            self._escape = _AFTER_ESCAPE
        elif self._escape != _PLAIN:
            self._swallow(byte)
        elif byte == _CTRL_U:
            self._forget()
            self.echo.extend(b"\r\x1b[K" + self._prompt)
        elif byte in (_BACKSPACE, _DELETE):
            self._erase()
        elif _FIRST_PRINTABLE <= byte < _DELETE:
            self._append(byte)
        return NOTHING

    def begun(self):
        """Whether a part of a line waits for its end."""
        return bool(self._line) or self._overlong

    def _end(self):
        overlong = self._overlong
        self.text = self._line.decode()
        self._forget()
        self.echo.extend(b"\r\n")
        return TOO_LONG if overlong else LINE

    def _forget(self):
        self._line = bytearray()
        self._overlong = False
        self._escape = _PLAIN

    def _swallow(self, byte):
        if self._escape == _AFTER_ESCAPE:
            self._escape = _INTRODUCERS.get(byte, _PLAIN)
        elif self._escape == _ONE_MORE or byte >= _FIRST_FINAL:
            self._escape = _PLAIN

    def _erase(self):
        if self._line and not self._overlong:
            self._line = self._line[:-1]
            self.echo.extend(b"\b \b")

    def _append(self, byte):
        if len(self._line) < MAX_LENGTH:
            self._line.append(byte)
            self.echo.append(byte)
        else:
            self._overlong = True
            self.echo.append(_BELL)
