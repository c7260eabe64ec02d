"""Who may write: an access code unlocks one door (a bus, a console) for a while.

One `Access` per door, so that unlocking one bus does not unlock another. Wrong codes are limited:
after three of them the door answers nothing for a minute. Time comes in as an argument.
"""

_TRIES = 3
_LOCKOUT_MS = 60000
_MS_PER_MINUTE = 60000


class AccessDenied(Exception):
    """The write was refused; the text says what to do."""


class Access:
    """The lock of one door. `trusted` doors (the console, where a person sits) need no code while
    none is set; every other door stays shut until one is."""

    def __init__(self, parameters, trusted=False):
        self._parameters = parameters
        self._code = parameters.index("access_code")
        self._minutes = parameters.index("access_minutes")
        self._trusted = trusted
        self._left_ms = 0  # how long writes stay unlocked
        self._opened_with = 0  # the code that unlocked them: another code locks again
        self._lockout_ms = 0  # how long codes are not looked at
        self._wrong = 0

    def step(self, elapsed_ms):
        """Let time pass. Allocates nothing."""
        self._left_ms = max(0, self._left_ms - elapsed_ms)
        self._lockout_ms = max(0, self._lockout_ms - elapsed_ms)

    def authorize(self, code):
        """Unlock writes if `code` is right. Returns True if it is. Allocates nothing."""
        wanted = self._parameters.values[self._code]
        if self._lockout_ms:
            return False
        if wanted > 0 and code == wanted:
            self._wrong = 0
            self._opened_with = code
            self._left_ms = self._parameters.values[self._minutes] * _MS_PER_MINUTE
            return True
        self._left_ms = 0
        self._wrong += 1
        if self._wrong >= _TRIES:
            self._wrong = 0
            self._lockout_ms = _LOCKOUT_MS
        return False

    def lock(self):
        """Lock again before the time is over."""
        self._left_ms = 0

    def unlocked(self):
        """Whether a write may pass now. Allocates nothing."""
        wanted = self._parameters.values[self._code]
        if wanted <= 0:
            return self._trusted
        return self._left_ms > 0 and self._opened_with == wanted
