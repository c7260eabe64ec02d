"""The console: lines come in, a command answers them line by line.

Goals: a long answer never holds up the other coroutines, because every line of it is followed by a
turn for them; nothing that is typed and no command that fails ends the console; a command takes
memory while it runs (console.lending), the console while somebody types (console.door).
Limits: one person at a time; while an answer is printed, typing waits in the stream's buffer.
"""

import asyncio

from bms.access import AccessDenied
from bms.parameters import ParameterError
from console.door import PROMPT
from console.lending import borrowed, called, give_back
from console.line import LINE, MAX_LENGTH, TOO_LONG, LineEditor
from console.settings import Settings
from console.usage import Refusal, UsageError
from storage.configuration import ConfigurationError

_JSON = "--json"  # among the words of a command: answer in one line, for programs


class Console:
    """One console, on whatever stream `take` gets.

    access: this door's lock (bms.access), `trusted` where a person has to sit beside it
    version: text that the command `version` prints
    changed(applies): called with an APPLIES_* of bms.parameters after settings took effect
    restart(): opens the gates and starts the board anew
    maintain(): the same, but the board then waits for new software instead of guarding
    services: what only some commands ask for, by attribute:
        events_log: records(count) yields the latest events, newest first, as tuples (sequence,
            boot, uptime_s, kind, code, value) (storage.event_log)
        battery: captured_cell_mv, captured_stack_mv, captures and trial (bms.battery)
        commission: record_saved() gives the saved dict of bms.commissioning or None; save(record)
            keeps one and lets the gates close, or raises storage.state.StateError
        calibrator: corrections in force and saved (starting.calibrating)
        ship(): the pack switches itself off as soon as it can
    commissioning: the procedure (bms.commissioning) once somebody began it, else None
    calibration: what was compared and is not saved yet (console.calibrate), else None
    """

    def __init__(
        self,
        points,
        parameters,
        faults,
        access,
        requests,
        configuration,
        version,
        changed,
        restart,
        maintain,
        services,
    ):
        self.points = points
        self.parameters = parameters
        self.faults = faults
        self.access = access
        self.requests = requests
        self.configuration = configuration
        self.version = version
        self.restart = restart
        self.maintain = maintain
        self.services = services
        self.commissioning = None
        self.calibration = None
        self.settings = Settings(parameters, configuration, changed)
        self.failures = 0  # commands that ended with an exception nobody expected
        self._editor = LineEditor(PROMPT)
        self._snapshot = points.new_snapshot()
        self._view = memoryview(self._snapshot)

    async def take(self, stream, chunk, count):
        """Take the first `count` bytes of what was typed, and answer."""
        editor = self._editor
        for at in range(count):
            event = editor.feed(chunk[at])
            if event:
                await _send_echo(stream, editor)
                if event == TOO_LONG:
                    await _say(stream, "Ignored: a line may have %d characters." % MAX_LENGTH)
                elif event == LINE:
                    await self._answer(stream, editor.text)
                editor.echo.extend(PROMPT.encode())
        await _send_echo(stream, editor)

    def idle(self):
        """Whether nothing would be lost without this console."""
        began = self.settings.draft or self.commissioning or self.calibration
        return not (began or self._editor.begun())

    def execute(self, line):
        """Carry out one typed line: yields the lines of the answer. Bytes among them are a piece
        of a line that goes on, None is only a turn for the other coroutines, a number a pause of
        so many ms."""
        words = line.split()
        if not words:
            return
        try:
            if _JSON in words[1:]:
                words.remove(_JSON)
                yield from borrowed("twin").answer(self, words)
            else:
                yield from self.run(words, _in_words)
        except Exception as problem:
            yield self.sentence(problem, words[0])
        finally:
            give_back()

    def run(self, words, respond):
        """Yield what respond(console, row of the command, arguments) does, once the command may
        be carried out. Raises what `sentence` puts in words."""
        commands = borrowed("commands")
        command = commands.command_named(words[0].lower())
        if command is None:
            raise Refusal(commands.unknown_command(words[0]))
        _, _, least, most, writes, _, _ = command
        if not least <= len(words) - 1 <= most:
            raise UsageError()
        if writes:
            self.check_access()
        yield from self.parameters.fetch()
        yield from self.points.fetch()
        self.points.snapshot_into(self._view)
        yield from respond(self, command, words[1:])

    def sentence(self, problem, typed):
        """What to say to whoever typed a command that ended with the exception `problem`."""
        if isinstance(problem, UsageError):
            name, usage = borrowed("commands").command_named(typed.lower())[:2]
            return ("Usage: %s %s" % (name, usage)).rstrip()
        if isinstance(problem, (Refusal, AccessDenied)):
            return str(problem)
        if isinstance(problem, (ParameterError, ConfigurationError)):
            return "Refused: %s." % problem
        self.failures += 1
        return "The command failed; please report this: %r" % problem

    def look_again(self):
        """Take the points of now instead of those of when the command was given."""
        self.points.snapshot_into(self._view)

    def point(self, name, slot=0):
        """A point's value at the moment the command was given."""
        return self._snapshot[self.points.offset(name) + slot]

    def vector(self, name, count):
        """The first `count` values of a point, as a list."""
        offset = self.points.offset(name)
        return [self._snapshot[offset + slot] for slot in range(count)]

    def raised(self, name):
        """Bits set in `faults` or `warnings`, in the order of the faults table."""
        offset = self.points.offset(name)
        return [
            bit
            for bit in range(len(self.faults))
            if self._snapshot[offset + (bit >> 4)] >> (bit & 15) & 1
        ]

    def check_access(self):
        """Raises AccessDenied, whose text says how to unlock."""
        if self.access.unlocked():
            return
        if self.parameters.value("access_code") > 0:
            raise AccessDenied(
                "Locked: `unlock CODE` opens this console for %d min."
                % self.parameters.value("access_minutes")
            )
        raise AccessDenied("This console may not write: no access code is set.")

    async def _answer(self, stream, line):
        for text in self.execute(line):
            if text is None or isinstance(text, int):
                await asyncio.sleep_ms(text or 0)
            elif isinstance(text, bytes):
                await _send(stream, text)
            else:
                await _say(stream, text)


def _in_words(console, command, arguments):
    return called(command[6], console, arguments)


async def _say(stream, text):
    await _send(stream, text.encode() + b"\r\n")


async def _send(stream, data):
    stream.write(data)
    await stream.drain()


async def _send_echo(stream, editor):
    if editor.echo:
        data = bytes(editor.echo)
        editor.echo = bytearray()
        await _send(stream, data)
