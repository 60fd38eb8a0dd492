"""What a Keithley 2400 lets one set, with the values after *RST."""

from __future__ import annotations

from sims.scpi import choice
from sims.scpi_settings import Setting, keyword, numeric, switch

ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT")
FUNCTIONS = {"VOLT": "VOLT:DC", "CURR": "CURR:DC", "RES": "RES"}
EXTRA_ERRORS = {
    -230: "Data corrupt or stale",
    800: "Illegal with storage active",
    802: "OUTPUT blocked by interlock",
    803: "Not permitted with OUTPUT off",
    810: "Over-temperature",
    822: "Too small for sense range",
    824: "Cannot exceed compliance range",
    825: "Invalid with auto-ohms on",
    826: "Attempt to exceed power limit",
    900: "Internal system error",
}
LEVEL = "[:LEVel][:IMMediate][:AMPLitude]"
SENSE, SOURCE = "[:SENSe#]", ":SOURce#"

SETTINGS: tuple[Setting, ...] = (
    keyword(
        "source.function", f"{SOURCE}:FUNCtion[:MODE]", "VOLT", ["VOLTage", "CURRent"]
    ),
    numeric("source.CURR", f"{SOURCE}:CURRent{LEVEL}", 0.0, -1.05, 1.05),
    numeric("source.VOLT", f"{SOURCE}:VOLTage{LEVEL}", 0.0, -210.0, 210.0),
    numeric("source.CURR.range", f"{SOURCE}:CURRent:RANGe", 1e-4, -1.05, 1.05),
    numeric("source.VOLT.range", f"{SOURCE}:VOLTage:RANGe", 20.0, -210.0, 210.0),
    switch("source.CURR.auto", f"{SOURCE}:CURRent:RANGe:AUTO", default=True),
    switch("source.VOLT.auto", f"{SOURCE}:VOLTage:RANGe:AUTO", default=True),
    keyword("source.CURR.mode", f"{SOURCE}:CURRent:MODE", "FIX", ["FIXed"]),
    keyword("source.VOLT.mode", f"{SOURCE}:VOLTage:MODE", "FIX", ["FIXed"]),
    numeric("delay", f"{SOURCE}:DELay", 0.0, 0.0, 999.9999, ".4f"),
    switch("delay.auto", f"{SOURCE}:DELay:AUTO", default=True),
    switch("clear.auto", f"{SOURCE}:CLEar:AUTO", default=False),
    switch("concurrent", f"{SENSE}:FUNCtion:CONCurrent", default=True),
    numeric(
        "prot.VOLT", f"{SENSE}:VOLTage[:DC]:PROTection[:LEVel]", 21.0, -210.0, 210.0
    ),
    numeric(
        "prot.CURR", f"{SENSE}:CURRent[:DC]:PROTection[:LEVel]", 1.05e-4, -1.05, 1.05
    ),
    numeric(
        "sense.VOLT.range", f"{SENSE}:VOLTage[:DC]:RANGe[:UPPer]", 20.0, -210.0, 210.0
    ),
    numeric(
        "sense.CURR.range", f"{SENSE}:CURRent[:DC]:RANGe[:UPPer]", 1e-4, -1.05, 1.05
    ),
    numeric("sense.RES.range", f"{SENSE}:RESistance:RANGe[:UPPer]", 2.1e5, 0.0, 2.1e8),
    switch("sense.VOLT.auto", f"{SENSE}:VOLTage[:DC]:RANGe:AUTO", default=True),
    switch("sense.CURR.auto", f"{SENSE}:CURRent[:DC]:RANGe:AUTO", default=True),
    switch("sense.RES.auto", f"{SENSE}:RESistance:RANGe:AUTO", default=True),
    # One integration time for all functions, under three names.
    numeric("nplc", f"{SENSE}:VOLTage[:DC]:NPLCycles", 1.0, 0.01, 10.0, ".2f"),
    numeric("nplc", f"{SENSE}:CURRent[:DC]:NPLCycles", 1.0, 0.01, 10.0, ".2f"),
    numeric("nplc", f"{SENSE}:RESistance:NPLCycles", 1.0, 0.01, 10.0, ".2f"),
    keyword("res.mode", f"{SENSE}:RESistance:MODE", "AUTO", ["MANual", "AUTO"]),
    switch("res.ocom", f"{SENSE}:RESistance:OCOMpensated", default=False),
    switch("filter", f"{SENSE}:AVERage[:STATe]", default=False),
    numeric("filter.count", f"{SENSE}:AVERage:COUNt", 10, 1, 100, "d"),
    keyword("filter.kind", f"{SENSE}:AVERage:TCONtrol", "REP", ["REPeat", "MOVing"]),
    switch("remote", ":SYSTem:RSENse", default=False),
    Setting(
        "autozero",
        ":SYSTem:AZERo[:STATe]",
        default=True,
        read=lambda text: choice(text, ["ON", "OFF", "1", "0", "ONCE"]) in {"ON", "1"},
        show=lambda value: str(int(value)),
    ),
    numeric("line.frequency", ":SYSTem:LFRequency", 50, 50, 60, "d"),
    switch("line.auto", ":SYSTem:LFRequency:AUTO", default=True),
    keyword("terminals", ":ROUTe:TERMinals", "FRON", ["FRONt", "REAR"]),
    keyword(
        "off.state", ":OUTPut#:SMODe", "NORM", ["HIMPedance", "NORMal", "ZERO", "GUARd"]
    ),
    keyword("format", ":FORMat[:DATA]", "ASC", ["ASCii"]),
    numeric("trigger.count", ":TRIGger#[:SEQuence#]:COUNt", 1, 1, 2500, "d"),
    numeric("trigger.delay", ":TRIGger#[:SEQuence#]:DELay", 0.0, 0.0, 999.9999, ".4f"),
    keyword(
        "trigger.source", ":TRIGger#[:SEQuence#]:SOURce", "IMM", ["IMMediate", "TLINk"]
    ),
    keyword(
        "trigger.output",
        ":TRIGger#:OUTPut",
        "NONE",
        ["SOURce", "DELay", "SENSe", "NONE"],
    ),
    numeric("trigger.iline", ":TRIGger#:ILINe", 1, 1, 4, "d"),
    numeric("trigger.oline", ":TRIGger#:OLINe", 2, 1, 4, "d"),
    numeric("arm.count", ":ARM[:SEQuence#][:LAYer#]:COUNt", 1, 1, 2500, "d"),
    numeric(
        "arm.timer", ":ARM[:SEQuence#][:LAYer#]:TIMer", 0.1, 0.001, 99999.99, ".3f"
    ),
    keyword(
        "arm.source",
        ":ARM[:SEQuence#][:LAYer#]:SOURce",
        "IMM",
        ["IMMediate", "TLINk", "TIMer", "MANual", "BUS"],
    ),
    keyword(
        "arm.output", ":ARM[:SEQuence#]:OUTPut", "NONE", ["TENTer", "TEXit", "NONE"]
    ),
    numeric("arm.iline", ":ARM[:SEQuence#]:ILINe", 1, 1, 4, "d"),
    numeric("arm.oline", ":ARM[:SEQuence#]:OLINe", 2, 1, 4, "d"),
    numeric("buffer.points", ":TRACe:POINts", 100, 1, 2500, "d"),
    keyword("buffer.feed", ":TRACe:FEED", "SENS", ["SENSe#", "CALCulate#"]),
    keyword(
        "statistic",
        ":CALCulate3:FORMat",
        "MEAN",
        ["MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"],
    ),
    numeric("measurement.enable", ":STATus:MEASurement:ENABle", 0, 0, 65535, "d"),
    numeric("operation.enable", ":STATus:OPERation:ENABle", 0, 0, 65535, "d"),
    numeric("questionable.enable", ":STATus:QUEStionable:ENABle", 0, 0, 65535, "d"),
    switch("display", ":DISPlay:ENABle", default=True),
)
