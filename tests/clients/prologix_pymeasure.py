"""Real client: pymeasure's PrologixAdapter -> a GPIB adapter with an E4980A at address 17
and a Keithley 2700 at address 16. usage: python prologix_pymeasure.py PORT"""
import sys
from pymeasure.adapters import PrologixAdapter
from pymeasure.instruments.agilent import AgilentE4980
bus = PrologixAdapter(f"ASRL{sys.argv[1]}::INSTR", visa_library="@py", timeout=10000)
print(bus.version.strip()); assert "version 6.107" in bus.version
bus.gpib_read_timeout = 1000; assert bus.gpib_read_timeout == 1000
matrix = bus.gpib(16); matrix.write("*IDN?"); print(matrix.read().strip())
z = AgilentE4980(bus.gpib(17)); z.mode = "RX"; assert z.mode == "RX"
z.frequency = 1e4; z.ac_voltage = 0.01; assert abs(z.frequency - 1e4) < 1
print("R, X", z.impedance); print("OK")
