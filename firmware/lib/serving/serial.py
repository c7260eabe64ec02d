"""RS485 and Modbus TCP, as the settings want them: builds ports, languages and doors.

Goals: a protocol is loaded only where it is configured, or, with `auto`, when somebody speaks it;
what was unlocked over one link is not unlocked over another; an inverter hears the same of limits
over RS485 as over CAN.
"""

import asyncio

from bms.access import Access
from rs485.port import Port

# Choices of rs485_protocol
_AUTO, _MODBUS, _PYLONTECH, _JBD = range(4)
_CLIENTS = 3  # modbus_tcp_client_...
_EVERY_HOST = 0
# What a sleeping language is known by: serving.sleeping.
_PYLONTECH_SIGN = (0x7E, b"2", 0x0D, 96)
_JBD_SIGN = (0xDD, b"\xa5\x5a", 0x77, 72)


class SerialLinks:
    """Services for the application: `rs485` and, where there is a port for it, `tcp`."""

    def __init__(self, points, parameters, faults, letter_box, changed, diagnosis):
        self._points = points
        self._parameters = parameters
        self._faults = faults
        self._letter_box = letter_box
        self._changed = changed
        self._diagnosis = diagnosis
        self._awake = []  # languages, or their cores, for which time passes
        self._tcp = None
        self._door = Access(parameters)
        self._tcp_door = None
        self._registers = None  # Modbus's, once somebody speaks it
        value = parameters.value
        self._hosts = [
            (
                parameters.index("modbus_tcp_client_%d_net" % client),
                parameters.index("modbus_tcp_client_%d_host" % client),
            )
            for client in range(1, 1 + _CLIENTS)
        ]
        protocol = value("rs485_protocol")
        self._languages = []
        if protocol == _AUTO:
            from serving.sleeping import Sleeping, SleepingModbus

            languages = self._languages
            languages.append(SleepingModbus(languages, self._modbus, value("modbus_address")))
            languages.append(Sleeping(languages, self._pylontech, *_PYLONTECH_SIGN))
            languages.append(Sleeping(languages, self._jbd_language, *_JBD_SIGN))
        else:
            self._languages.append(None)
            loads = (self._modbus, self._pylontech, self._jbd_language)
            for _ in loads[protocol - _MODBUS](0):
                pass

    def step(self, elapsed_ms):
        """Let time pass, about once a second."""
        self._door.step(elapsed_ms)
        for language in self._awake:
            language.step(elapsed_ms)
        if self._tcp_door is not None:
            self._tcp_door.step(elapsed_ms)
        if self._tcp is not None:
            self._tcp.step(elapsed_ms)

    async def rs485(self, uart, baud, transmit_enable):
        """Serve a UART for ever. Raises OSError if it is gone."""
        await Port(uart, baud, self._languages, self._diagnosis, transmit_enable).run()

    async def tcp(self, listener):
        """Serve a board's listener for ever. Raises OSError if the network is gone."""
        from modbus.registers import RegisterMap
        from modbus.server import Server
        from modbus.tcp import TcpServer

        for _ in self._fetch_tables():
            await asyncio.sleep_ms(0)
        for _ in self._register_map():
            await asyncio.sleep_ms(0)
        value = self._parameters.value
        self._tcp_door = Access(self._parameters)
        registers = RegisterMap(
            self._points,
            self._parameters,
            self._tcp_door,
            self._letter_box,
            self._changed,
            self._faults,
            self._registers,
        )
        self._tcp = TcpServer(
            listener,
            Server(value("modbus_address"), registers),
            registers,
            self._may_connect,
            1000 * value("modbus_tcp_idle_s"),
            self._diagnosis,
        )
        await self._tcp.run()

    def _may_connect(self, address):
        """Whether a client's IPv4 address (four bytes) is on the list."""
        values = self._parameters.values
        net = address[0] << 8 | address[1]
        host = address[2] << 8 | address[3]
        for net_at, host_at in self._hosts:
            if net and values[net_at] == net and values[host_at] in (host, _EVERY_HOST):
                return True
        return False

    def _register_map(self):
        """Make the register map, unless another link did: yields between pieces."""
        from modbus.registers import RegisterMap, new_places, pack_places

        yield
        places = new_places()
        if self._registers is None:
            yield from pack_places(self._points, self._parameters, *places)
        if self._registers is None:  # still
            self._registers = RegisterMap(
                self._points,
                self._parameters,
                self._door,
                self._letter_box,
                self._changed,
                self._faults,
                places=places,
            )

    def _modbus(self, place):
        """Put the language at `place`, in pieces of some milliseconds: yields between them."""
        from modbus.rtu import Rtu

        yield
        from modbus.server import Server

        yield
        yield from self._fetch_tables()
        yield from self._register_map()
        yield
        registers = self._registers
        server = Server(self._parameters.value("modbus_address"), registers)
        self._languages[place] = Rtu(server, registers)

    def _pylontech(self, place):
        """The same for Pylontech."""
        from pylon_rs485.language import Pylontech

        yield
        yield from self._fetch_tables()
        from inverter.rules import ChargeRules

        yield
        rules = ChargeRules(None, self._points, self._parameters)
        yield
        address = self._parameters.value("pylontech_address")
        language = Pylontech(address, self._points, self._parameters, rules)
        yield from language.build(self._parameters, self._faults)
        self._start(place, language, language)

    def _jbd_language(self, place):
        """The same for JBD."""
        from jbd.core import Jbd
        from jbd.language import JbdLanguage

        yield
        yield from self._fetch_tables()
        core = Jbd(
            self._points,
            self._parameters,
            Access(self._parameters),
            self._letter_box,
            self._changed,
            self._points.new_snapshot(),
        )
        yield from core.build(self._faults)
        self._start(place, JbdLanguage(core), core)

    def _start(self, place, language, core):
        self._languages[place] = language
        self._awake.append(core)

    def _fetch_tables(self):
        yield from self._parameters.fetch()
        yield from self._points.fetch()
