"""Virtual time of the simulated board: ticks, alarms, and asyncio's clock and poll.

Goals: runs are deterministic, at real time or as fast as the machine allows; the firmware's ticks
behave like a board's (they wrap at 2**30 ms, and start 60 s before the wrap).
asyncio gets virtual time too, but unmasked: its task queue is C and wraps at 2**62 here. That
queue stamps tasks that become ready with the machine's real clock, so virtual time starts far
ahead of it, and such tasks run at once whatever the speed.
The firmware's own work takes no time, unless somebody charges for it (costs.py, a flash that
stalls): then the world goes on while the firmware is held where it is, and its timer is late.
"""

import asyncio.core
import select
import time

from boards.sim import heap

_TICKS_PERIOD = 1 << 30
_TICKS_START = _TICKS_PERIOD - 60000
_AHEAD_MS = 1 << 40
_FOREVER_MS = 1000  # how far one wait goes when no task waits for time


class Alarm:
    """Something to call at a virtual time, once or again and again."""

    def __init__(self, due_ms, period_ms, callback, of_firmware, in_stalls):
        self.due_ms = due_ms
        self.period_ms = period_ms  # 0: once
        self.callback = callback
        self.of_firmware = of_firmware  # a hanging processor does not answer it
        self.in_stalls = in_stalls  # called in time though the processor is held


class Clock:
    """Owns virtual time. `world.advance(elapsed_us)` moves the physics along with it."""

    def __init__(self, world, speed):
        self._world = world
        self._alarms = []
        self._base_ms = time.ticks_ms() + _AHEAD_MS
        self.now_ms = 0
        self._ahead_us = 0  # how far the world is beyond now_ms
        self.hold_firmware = False  # the processor hangs: nothing of it runs, the world goes on
        self.poller = Poller(self)
        self.set_speed(speed)

    def set_speed(self, speed):
        """Virtual seconds per real second; 0 is as fast as the machine allows."""
        self.speed = speed
        self._real_start_us = time.ticks_us()
        self._virtual_start_ms = self.now_ms

    def ticks_ms(self):
        """Milliseconds as the board's processor counts them."""
        return (self.now_ms + _TICKS_START) & (_TICKS_PERIOD - 1)

    def ticks_diff(self, end, start):
        """`end - start` of two ticks, across the wrap."""
        half = _TICKS_PERIOD >> 1
        return ((end - start + half) & (_TICKS_PERIOD - 1)) - half

    def every(self, period_ms, callback, of_firmware=False):
        """Call `callback()` every `period_ms` of virtual time; returns the alarm."""
        alarm = Alarm(self.now_ms + period_ms, period_ms, callback, of_firmware, False)
        self._alarms.append(alarm)
        return alarm

    def once(self, delay_ms, callback):
        """Call `callback()` once after `delay_ms`, also in the middle of a stall of the
        processor; returns the alarm."""
        alarm = Alarm(self.now_ms + delay_ms, 0, callback, False, True)
        self._alarms.append(alarm)
        return alarm

    def stall(self, us):
        """The processor is held for so long, as soon as the work it is at is done: a flash write
        or a collection of garbage falls between two turns, never into a step."""
        alarm = Alarm(self.now_ms, 0, lambda: self.charge(us), False, False)
        self._alarms.append(alarm)

    def stop(self, alarm):
        """The alarm is not called any more."""
        if alarm in self._alarms:
            self._alarms.remove(alarm)

    def real_ms_until(self, virtual_ms):
        """Real milliseconds until the wall clock reaches a virtual time; 0 when it is past."""
        if self.speed == 0:
            return 0
        passed_ms = time.ticks_diff(time.ticks_us(), self._real_start_us) // 1000
        due_ms = int((virtual_ms - self._virtual_start_ms) / self.speed)
        return max(0, due_ms - passed_ms)

    def next_due_ms(self, limit_ms):
        """Virtual time of the next alarm, or `limit_ms` if that is sooner."""
        due_ms = limit_ms
        for alarm in self._alarms:
            due_ms = min(due_ms, alarm.due_ms)
        return due_ms

    def advance_to(self, virtual_ms):
        """Move to a virtual time not beyond the next alarm, and call the alarms that are due."""
        if virtual_ms > self.now_ms:
            self._world.advance((virtual_ms - self.now_ms) * 1000 - self._ahead_us)
            self.now_ms = virtual_ms
            self._ahead_us = 0
        for alarm in self._alarms:
            if alarm.due_ms <= self.now_ms:
                self._ring(alarm)

    def doze(self, duration_ms, look):
        """The processor stands still for so long; everything else goes on, in real time too.
        look(wait_ms): serves the host meanwhile, for up to so many real milliseconds."""
        until_ms = self.now_ms + duration_ms
        held = self.hold_firmware
        self.hold_firmware = True
        try:
            while self.now_ms < until_ms:
                due_ms = self.next_due_ms(until_ms)
                look(self.real_ms_until(due_ms))
                if not self.real_ms_until(due_ms):
                    self.advance_to(due_ms)
        finally:
            self.hold_firmware = held

    def charge(self, us):
        """The processor is busy or stalled for so long: the world goes on, and the firmware's
        timer is late afterwards. Safe under the heap lock."""
        depth = heap.lift()
        try:
            end_us = self.now_ms * 1000 + self._ahead_us + us
            while True:
                due = self._next_in_stalls(end_us)
                if due is None:
                    break
                self._move_to(max(due.due_ms * 1000, self.now_ms * 1000 + self._ahead_us))
                self._ring(due)
            self._move_to(end_us)
        finally:
            heap.restore(depth)

    def _next_in_stalls(self, end_us):
        """The first alarm up to then that does not wait for the processor, or None."""
        due = None
        for alarm in self._alarms:
            if not alarm.in_stalls or alarm.due_ms * 1000 > end_us:
                continue
            if due is None or alarm.due_ms < due.due_ms:
                due = alarm
        return due

    def _move_to(self, virtual_us):
        self._world.advance(virtual_us - self.now_ms * 1000 - self._ahead_us)
        self.now_ms = virtual_us // 1000
        self._ahead_us = virtual_us % 1000

    def _ring(self, alarm):
        if alarm.period_ms:
            # Calls that are late are made once: what a soft timer missed is coalesced.
            alarm.due_ms += alarm.period_ms
            if alarm.due_ms <= self.now_ms:
                late_ms = self.now_ms - alarm.due_ms
                alarm.due_ms += (late_ms // alarm.period_ms + 1) * alarm.period_ms
        else:
            self._alarms.remove(alarm)
        if not (alarm.of_firmware and self.hold_firmware):
            alarm.callback()

    def take_over_asyncio(self):
        """From here on asyncio lives in virtual time."""
        core = asyncio.core
        core.ticks = self._asyncio_ticks
        core._io_queue.poller = self.poller

        def create_task(coroutine):
            # Like asyncio's own, but ready "now" in virtual time: tasks start in a fixed order.
            task = core.Task(coroutine, core.__dict__)
            core._task_queue.push(task, self._asyncio_ticks())
            return task

        core.create_task = create_task
        asyncio.create_task = create_task

    def _asyncio_ticks(self):
        return self._base_ms + self.now_ms


class Poller:
    """Stands in for select.poll in asyncio: waiting is what makes virtual time pass."""

    def __init__(self, clock):
        self._clock = clock
        self._poll = select.poll()
        self._streams = {}  # id of a socket: the stream that asyncio knows
        self._handlers = {}  # id of a socket: what the simulation calls when it is ready
        self.turn_us = 0  # what a turn of asyncio's loop costs

    def watch(self, socket, handler):
        """Call `handler()` whenever `socket` has something to read; the firmware knows nothing."""
        self._handlers[id(socket)] = handler
        self._poll.register(socket, select.POLLIN)

    def register(self, stream, events):
        """Wait for a stream's socket."""
        self._streams[id(stream.socket)] = stream
        self._poll.register(stream.socket, events)

    modify = register

    def unregister(self, stream):
        """Wait for it no more."""
        self._streams.pop(id(stream.socket))
        self._poll.unregister(stream.socket)

    def ipoll(self, wait_ms):
        """Let up to `wait_ms` of virtual time pass; returns the (stream, event) pairs."""
        clock = self._clock
        if self.turn_us and wait_ms == 0:  # a task runs next
            clock.charge(self.turn_us)
        until_ms = clock.now_ms + (wait_ms if wait_ms >= 0 else _FOREVER_MS)
        while True:
            due_ms = clock.next_due_ms(until_ms)
            ready = []
            for item in self._poll.poll(clock.real_ms_until(due_ms)):
                handler = self._handlers.get(id(item[0]))
                if handler:
                    handler()
                elif not clock.hold_firmware:
                    ready.append((self._streams[id(item[0])], item[1]))
            if not clock.hold_firmware:
                ready.extend([(s, select.POLLIN) for s in self._streams.values() if s.typed])
            if ready:
                return ready
            if clock.real_ms_until(due_ms):
                continue
            clock.advance_to(due_ms)
            if due_ms >= until_ms:
                if not clock.hold_firmware:
                    return ()
                until_ms += _FOREVER_MS
