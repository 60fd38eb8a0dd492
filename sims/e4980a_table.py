"""What a Keysight E4980A lets one set, what it tells, and how long it measures.

User's Guide pages 261 and 316, data sheet 5989-4435EN. [R]: recalled, not read again.
"""

from __future__ import annotations

import cmath
import itertools
import math

from sims.scpi import choice, number
from sims.scpi_settings import Setting, keyword, numeric, switch

EXTRA_ERRORS = {
    -114: "Header suffix out of range",
    -211: "Trigger ignored",
    -223: "Too much data",
    -230: "Data corrupt or stale",
}
MOST_POINTS = 201
SPOTS = 201
RANGES = (0.1, 1.0, 10.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5)
"""ohm; the first with option 001. [R]"""
OVERLOADED = 9.9e37
LONG, PLAIN = ".11E", ".5E"
FUNCTIONS = (
    *("RX", "ZTD", "ZTR", "GB", "YTD", "YTR", "CPD", "CPQ", "CPG", "CPRP"),
    *("CSD", "CSQ", "CSRS", "LPD", "LPQ", "LPG", "LPRP", "LSD", "LSQ", "LSRS"),
)
PERIODS = {
    "LONG": ((20, 0.480), (100, 0.300), (1e3, 0.240), (1e4, 0.230), (1e5, 0.220)),
    "MED": ((20, 0.380), (100, 0.180), (1e3, 0.110), (1e4, 0.092), (1e5, 0.089)),
    "SHOR": ((20, 0.330), (100, 0.100), (1e3, 0.020), (1e4, 0.0077), (1e5, 0.0057)),
}
"""Hz and seconds of one reading, data sheet. [R]"""
PAGES = ["MEASurement", "LIST", "BNUMber", "BCOunt", "MSETup", "CSETup", "LTABle"]


def period(aperture: str, frequency: float) -> float:
    """Return the seconds of one reading: straight lines on paper with two log scales.

    Examples
    --------
    >>> period("LONG", 20.0), round(period("SHOR", 1e3), 3), period("MED", 2e6)
    (0.48, 0.02, 0.089)
    """
    points = PERIODS[aperture]
    for (low, first), (high, last) in itertools.pairwise(points):
        if frequency <= high:
            part = math.log(max(frequency, low) / low) / math.log(high / low)
            return float(first * (last / first) ** part)
    return points[-1][1]


def pair(function: str, z: complex, omega: float) -> tuple[float, float]:
    """Return the two numbers that a function makes of an impedance (ohm), at rad/s.

    Examples
    --------
    >>> pair("RX", 3 - 4j, 1.0), pair("CSRS", 3 - 4j, 1.0), pair("CSD", 3 - 4j, 1.0)
    ((3.0, -4.0), (0.25, 3.0), (0.25, 0.75))
    """
    y = 1.0 / z
    if function in {"RX", "GB"}:
        plain = z if function == "RX" else y
        return plain.real, plain.imag
    if function[0] in "ZY":
        polar = z if function[0] == "Z" else y
        angle = cmath.phase(polar)
        return abs(polar), math.degrees(angle) if function[-1] == "D" else angle
    part = y if function[1] == "P" else z
    rising = part.imag / omega
    first = rising if function[:2] in {"CP", "LS"} else -1.0 / (omega * part.imag)
    loss = abs(part.real / part.imag)
    match function[2:]:
        case "D":
            second = loss
        case "Q":
            second = 1.0 / loss
        case "G":
            second = y.real
        case "RP":
            second = 1.0 / y.real
        case _:
            second = z.real
    return first, second


def _real(key: str, header: str, default: float, low: float, high: float) -> Setting:
    return numeric(key, header, default, low, high, f"+{LONG}")


SETTINGS: tuple[Setting, ...] = (
    _real("frequency", ":FREQuency[:CW]", 1e3, 20.0, 2e6),
    keyword("function", ":FUNCtion:IMPedance[:TYPE]", "CPD", FUNCTIONS),
    Setting(
        "range",
        ":FUNCtion:IMPedance:RANGe[:VALue]",
        100.0,
        lambda text: fitting(number(text, 0.0, RANGES[-1])),
        lambda value: f"{value:+{LONG}}",
    ),
    switch("range.auto", ":FUNCtion:IMPedance:RANGe:AUTO", default=True),
    switch("alc", ":AMPLitude:ALC", default=False),
    switch("bias", ":BIAS:STATe", default=False),
    _real("bias.VOLT", ":BIAS:VOLTage[:LEVel]", 0.0, -40.0, 40.0),
    _real("bias.CURR", ":BIAS:CURRent[:LEVel]", 0.0, -0.1, 0.1),
    switch("bias.auto", ":BIAS:RANGe:AUTO", default=True),
    switch("bias.polarity", ":BIAS:POLarity:AUTO", default=False),
    keyword(
        "source", ":TRIGger:SOURce", "INT", ["INTernal", "HOLD", "EXTernal", "BUS"]
    ),
    numeric("delay", ":TRIGger:DELay", 0.0, 0.0, 999.0, f"+{LONG}"),
    switch("continuous", ":INITiate:CONTinuous", default=True),
    keyword("format", ":FORMat[:DATA]", "ASC", ["ASCii"]),
    switch("format.long", ":FORMat:ASCii:LONG", default=False),
    keyword("list.mode", ":LIST:MODE", "SEQ", ["SEQuence", "STEPped"]),
    keyword("page", ":DISPlay:PAGE", "MEAS", PAGES),
    switch("display", ":DISPlay:ENABle", default=True),
    switch("comparator", ":COMParator[:STATe]", default=False),
    switch("monitor.idc", ":FUNCtion:SMONitor:IDC[:STATe]", default=False),
    switch("monitor.vdc", ":FUNCtion:SMONitor:VDC[:STATe]", default=False),
    switch("monitor.iac", ":FUNCtion:SMONitor:IAC[:STATe]", default=False),
    switch("monitor.vac", ":FUNCtion:SMONitor:VAC[:STATe]", default=False),
    switch("beeper", ":SYSTem:BEEPer:STATe", default=True),
)

CORRECTIONS: tuple[Setting, ...] = (
    switch("open", ":CORRection:OPEN:STATe", default=False),
    switch("short", ":CORRection:SHORt:STATe", default=False),
    switch("load", ":CORRection:LOAD:STATe", default=False),
    Setting(
        "length",
        ":CORRection:LENGth",
        0.0,
        lambda text: float(choice(text, ["0", "1", "2", "4"])),
        lambda value: f"{value:.0f}",
    ),
    keyword("method", ":CORRection:METHod", "SING", ["SINGle", "MULTi"]),
)
"""What *RST leaves as it is, and :SYSTem:PRESet does not."""


def fitting(size: float) -> float:
    """Return the range that measures so many ohm: the largest that is not above them.

    Examples
    --------
    >>> fitting(50.0), fitting(3e4), fitting(0.0)
    (10.0, 30000.0, 0.1)
    """
    return max((one for one in RANGES if one <= size), default=RANGES[0])
