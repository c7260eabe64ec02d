"""The data memory of a BQ76952 that the driver programs, item by item.

Columns: address | bytes | value, 0 where `bq76952_settings` computes it from the parameters.
Ascending; neighbours go out in one block. What is not listed keeps the chip's default: regulators,
communication and OTP are never touched, they may feed our processor or lock us out.
Sources: SLUUBY2B (BQ76952 technical reference manual) and afe.md section 4; pin functions as in
TI's example code for the family (SLUAA11B).
"""

ITEMS = (
    (0x91A8, 4, 0),  # CC gain
    (0x91AC, 4, 0),  # capacity gain
    (0x9234, 2, 0),  # power config
    (0x9238, 1, 0x00),  # host watchdog: leave the regulators alone, they may feed our processor
    (0x925F, 2, 0x0002),  # protection configuration: a permanent failure opens the gates
    (0x9261, 1, 0xBC),  # enabled A: SCD, OCD1, OCC, COV, CUV
    (0x9262, 1, 0),  # enabled B
    (0x9263, 1, 0x02),  # enabled C: HWDF
    # What each protection blocks. 0x98 and 0xE4 act at once, other values up to 250 ms later.
    (0x9265, 1, 0x98),  # charge gate A: SCD, OCC, COV
    (0x9266, 1, 0xD5),  # charge gate B: OTF, OTINT, OTC, UTINT, UTC
    (0x9267, 1, 0x56),  # charge gate C: SCDL, COVL, PTO, HWDF
    (0x9269, 1, 0xE4),  # discharge gate A: SCD, OCD2, OCD1, CUV
    (0x926A, 1, 0xE6),  # discharge gate B: OTF, OTINT, OTD, UTINT, UTD
    (0x926B, 1, 0xE2),  # discharge gate C: OCD3, SCDL, OCDL, HWDF
    (0x926D, 2, 0xF882),  # alarm mask: the default and FULLSCAN, ADSCAN
    (0x9273, 2, 500),  # mA: with one gate off, above this it closes to spare its body diode
    (0x9275, 1, 0),  # CUV threshold, 50.6 mV
    (0x9276, 2, 0),  # CUV delay, 3.3 ms
    (0x9278, 1, 0),  # COV threshold, 50.6 mV
    (0x9279, 2, 0),  # COV delay, 3.3 ms
    (0x927B, 1, 0),  # CUV hysteresis, 50.6 mV
    (0x927C, 1, 0),  # COV hysteresis, 50.6 mV
    (0x9280, 1, 0),  # OCC threshold, 2 mV
    (0x9281, 1, 0),  # OCC delay, 3.3 ms
    (0x9282, 1, 0),  # OCD1 threshold, 2 mV
    (0x9283, 1, 0),  # OCD1 delay, 3.3 ms
    (0x9286, 1, 0),  # SCD threshold, index
    (0x9287, 1, 0),  # SCD delay, 15 us
    # Over-current is over when the current is gone. The defaults wait for current the other way,
    # which a pack without load or charger never sees; the software's release decides anyhow.
    (0x9288, 2, 500),  # OCC recovery, mA
    (0x928D, 2, -500),  # OCD recovery, mA
    (0x9294, 1, 0),  # SCD recovery time, s
    (0x929A, 3, 0),  # OTC threshold, delay, recovery; all these in C, s, C
    (0x929D, 3, 0),  # OTD
    (0x92A0, 1, 80),  # OTF threshold; this and the next five are the chip's defaults
    (0x92A1, 1, 2),  # OTF delay
    (0x92A2, 1, 65),  # OTF recovery
    (0x92A3, 1, 85),  # OTINT threshold
    (0x92A4, 1, 2),  # OTINT delay
    (0x92A5, 1, 80),  # OTINT recovery
    (0x92A6, 3, 0),  # UTC
    (0x92A9, 3, 0),  # UTD
    (0x92AF, 1, 0),  # recovery time, s
    (0x92B2, 2, 0),  # host watchdog, s
    (0x92FA, 1, 0x02),  # CFETOFF pin: charge gate off while high
    (0x92FB, 1, 0x02),  # DFETOFF pin: discharge gate off while high
    (0x92FC, 1, 0x00),  # ALERT pin: not used
    (0x92FD, 1, 0),  # TS1
    (0x92FE, 1, 0),  # TS2
    (0x92FF, 1, 0),  # TS3
    (0x9300, 1, 0),  # HDQ
    (0x9301, 1, 0x00),  # DCHG pin: not used
    (0x9302, 1, 0x00),  # DDSG pin: not used
    (0x9303, 1, 0),  # DA configuration
    (0x9304, 2, 0),  # VCell mode
    # SFET, HOST_FET_EN, FET_CTRL_EN, FET_INIT_OFF; no predischarge
    (0x9308, 1, 0x2D),
    (0x9314, 1, 5),  # open wire check, s: shows as CUV and COV of neighbours (afe.md section 7)
    (0x9335, 1, 0x00),  # no balancing by the chip itself
)
