"""Names of the SunSpec points by model and offset (ID and L included), for the register map.

Source: SunSpec model definitions 1, 802 and 803. The firmware has no use for the names.
"""

NAMES: dict[int, dict[int, str]] = {
    1: {
        0: "ID", 1: "L", 2: "Mn", 18: "Md", 34: "Opt", 42: "Vr", 50: "SN", 66: "DA", 67: "Pad",
    },
    802: {
        0: "ID", 1: "L", 2: "AHRtg", 3: "WHRtg", 4: "WChaRteMax", 5: "WDisChaRteMax",
        6: "DisChaRte", 7: "SoCMax", 8: "SoCMin", 9: "SocRsvMax", 10: "SoCRsvMin", 11: "SoC",
        12: "DoD", 13: "SoH", 14: "NCyc", 16: "ChaSt", 17: "LocRemCtl", 18: "Hb", 19: "CtrlHb",
        20: "AlmRst", 21: "Typ", 22: "State", 23: "StateVnd", 24: "WarrDt", 26: "Evt1",
        28: "Evt2", 30: "EvtVnd1", 32: "EvtVnd2", 34: "V", 35: "VMax", 36: "VMin", 37: "CellVMax",
        38: "CellVMaxStr", 39: "CellVMaxMod", 40: "CellVMin", 41: "CellVMinStr",
        42: "CellVMinMod", 43: "CellVAvg", 44: "A", 45: "AChaMax", 46: "ADisChaMax", 47: "W",
        48: "ReqInvState", 49: "ReqW", 50: "SetOp", 51: "SetInvState", 52: "AHRtg_SF",
        53: "WHRtg_SF", 54: "WChaDisChaMax_SF", 55: "DisChaRte_SF", 56: "SoC_SF", 57: "DoD_SF",
        58: "SoH_SF", 59: "V_SF", 60: "CellV_SF", 61: "A_SF", 62: "AMax_SF", 63: "W_SF",
    },
    803: {
        0: "ID", 1: "L", 2: "NStr", 3: "NStrCon", 4: "ModTmpMax", 5: "ModTmpMaxStr",
        6: "ModTmpMaxMod", 7: "ModTmpMin", 8: "ModTmpMinStr", 9: "ModTmpMinMod", 10: "ModTmpAvg",
        11: "StrVMax", 12: "StrVMaxStr", 13: "StrVMin", 14: "StrVMinStr", 15: "StrVAvg",
        16: "StrAMax", 17: "StrAMaxStr", 18: "StrAMin", 19: "StrAMinStr", 20: "StrAAvg",
        21: "NCellBal", 22: "CellV_SF", 23: "ModTmp_SF", 24: "A_SF", 25: "SoH_SF", 26: "SoC_SF",
        27: "V_SF", 28: "StrNMod", 29: "StrSt", 31: "StrConFail", 32: "StrSoC", 33: "StrSoH",
        34: "StrA", 35: "StrCellVMax", 36: "StrCellVMaxMod", 37: "StrCellVMin",
        38: "StrCellVMinMod", 39: "StrCellVAvg", 40: "StrModTmpMax", 41: "StrModTmpMaxMod",
        42: "StrModTmpMin", 43: "StrModTmpMinMod", 44: "StrModTmpAvg", 45: "StrDisRsn",
        46: "StrConSt", 48: "StrEvt1", 50: "StrEvt2", 52: "StrEvtVnd1", 54: "StrEvtVnd2",
        56: "StrSetEna", 57: "StrSetCon", 58: "Pad1", 59: "Pad2",
    },
}  # fmt: skip
