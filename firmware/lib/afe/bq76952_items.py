"""The data memory of a BQ76952 that the driver programs, item by item.

Columns: address | bytes | value | what it is. Numbers are hexadecimal; the value is `*` where
`bq76952_settings` computes it from the parameters. Ascending; neighbours go out in one block. What
is not listed keeps the chip's default: regulators, communication and OTP are never touched, they
may feed our processor or lock us out. Read once (bq76952_image), so it costs no memory afterwards.
Sources: SLUUBY2B (BQ76952 technical reference manual) and afe.md section 4; pin functions as in
TI's example code for the family (SLUAA11B). Balancing: SLUUBY2B 13.3.11.5 (interval, 20 s by
default) and 13.3.11.6 (most cells, 1 by default); the addresses 9339 and 933A are also those of
TI's header for the family (BQ769x2Header.h, "Settings:Cell Balancing Config").

Latches. A short circuit stays latched (SCDL) in the chip at the first event, also if the processor
is dead; three fast discharge over-currents do (OCDL) if less than the decay time lies between two
of them: 255 s, more than any release delay of the software, which closes the gate again. Only the
host's SCDL_RECOVER and OCDL_RECOVER end them. Recovery by charge current (Protection
Configuration, SLUUBY2B 13.3.3.1, bits 9 and 10) and by load removal (Load Detect: Active Time 0,
SLUUCG7) are off, because both would close a gate on a chip's judgement alone. Unverified: that a
limit of 1 means the first event. Were it the second, the host's latched fault holds the first.
Open wires: each sense wire is loaded with 55 uA (SLUSE13B: 22 to 95) for 3 ms a second, 0.17 uA
on the average, 3 uA through the lowest cell: nothing beside the chip's 286 uA. The default of 5 s
would make the start-up self-test longer than it has to be.
"""

ROWS = b"""
9180|32|*|cell gains; 0: those of the factory
91a8|4|*|CC gain
91ac|4|*|capacity gain
91c8|2|*|board offset, 1/64 of 7.5684 uV across the shunt
9234|2|*|power config
9238|1|00|host watchdog: leave the regulators alone, they may feed our processor
9248|2|0014|sleep current, 20 mA: above this it does not sleep
924a|1|01|voltage time, s: in SLEEP it measures so often
924b|2|01f4|wake comparator current, 500 mA: more current wakes it within about 12 ms
925f|2|0002|protection configuration: a permanent failure opens the gates; no recovery by current
9261|1|*|enabled A: COV, CUV; without contactors SCD, OCD1, OCC
9262|1|*|enabled B
9263|1|62|enabled C: SCDL, OCDL, HWDF
# What each protection blocks. 0x98 and 0xE4 act at once, other values up to 250 ms later.
9265|1|98|charge gate A: SCD, OCC, COV
9266|1|d5|charge gate B: OTF, OTINT, OTC, UTINT, UTC
9267|1|56|charge gate C: SCDL, COVL, PTO, HWDF
9269|1|e4|discharge gate A: SCD, OCD2, OCD1, CUV
926a|1|e6|discharge gate B: OTF, OTINT, OTD, UTINT, UTD
926b|1|e2|discharge gate C: OCD3, SCDL, OCDL, HWDF
926d|2|f882|alarm mask: the default and FULLSCAN, ADSCAN
9273|2|*|body diode threshold, mA: with one gate off, above this it closes to spare its body diode
9275|1|*|CUV threshold, 50.6 mV
9276|2|*|CUV delay, 3.3 ms
9278|1|*|COV threshold, 50.6 mV
9279|2|*|COV delay, 3.3 ms
927b|1|*|CUV hysteresis, 50.6 mV
927c|1|*|COV hysteresis, 50.6 mV
9280|1|*|OCC threshold, 2 mV
9281|1|*|OCC delay, 3.3 ms
9282|1|*|OCD1 threshold, 2 mV
9283|1|*|OCD1 delay, 3.3 ms
9286|1|*|SCD threshold, index
9287|1|*|SCD delay, 15 us
# Over-current is over when the current is gone. The defaults wait for current the other way,
# which a pack without load or charger never sees; the software's release decides anyhow.
9288|2|01f4|OCC recovery, 500 mA
928d|2|fe0c|OCD recovery, -500 mA
928f|1|03|OCDL: latched at this many events
9290|1|ff|of which one is forgotten after this many s
9294|1|*|SCD recovery time, s
9295|1|01|SCDL: latched at the first event
929a|3|*|OTC threshold, delay, recovery; all these in C, s, C
929d|3|*|OTD
92a0|3|*|OTF
92a3|3|*|OTINT
92a6|3|*|UTC
92a9|3|*|UTD
92af|1|*|recovery time, s
92b2|2|*|host watchdog, s
92b4|1|00|load detect active time: off, the host asks (LOAD_DETECT_ON)
92fa|1|02|CFETOFF pin: charge gate off while high
92fb|1|02|DFETOFF pin: discharge gate off while high
92fc|1|00|ALERT pin: not used
92fd|1|*|TS1
92fe|1|*|TS2
92ff|1|*|TS3
9300|1|*|HDQ
9301|1|*|DCHG pin
9302|1|*|DDSG pin
9303|1|*|DA configuration
9304|2|*|VCell mode
9308|1|*|FET options
930e|1|ff|predischarge timeout, 2550 ms: the host ends a precharge earlier (at most 2400 ms)
930f|1|*|predischarge stop delta, 10 mV
9314|1|01|open wire check, s: shows as CUV and COV of neighbours (afe.md section 7)
9335|1|00|no balancing by the chip itself
9339|1|0a|balancing by the host ends this many s after the latest command
933a|1|08|most cells at a time, should the chip hold its host to that
"""
