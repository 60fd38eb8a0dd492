"""Real client: mettler_toledo_device (pip install mettler_toledo_device) -> MT-SICS balance; 50 ms for an answer.
The client is unmodified, but what it imports has moved on (its bugs, 1.5.0): pkg_resources, which it asks for its
own version, is no longer in setuptools, and serial_interface no longer exports an exception. Both are put back here.
usage: python mtsics_mettler_toledo_device.py PORT"""
import importlib.util, sys, types
if importlib.util.find_spec("pkg_resources") is None:
    gone = sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
    gone.DistributionNotFound = type("DistributionNotFound", (Exception,), {})
    def get_distribution(name): raise gone.DistributionNotFound(name)
    gone.get_distribution = get_distribution
import serial_interface
serial_interface.WriteFrequencyError = serial_interface.serial_interface.WriteFrequencyError
from mettler_toledo_device import MettlerToledoDevice
b = MettlerToledoDevice(port=sys.argv[1])
print("serial", b.get_serial_number(), "balance", b.get_balance_data(), "software", b.get_software_version())
print("zero", b.zero())
weight, unit, letter = b.get_weight(); print("weight", weight, unit, letter)
stable = b.get_weight_stable(); print("stable", stable)
assert unit == "g" and stable is not None and stable[1] == "g"
b.close(); print("OK")
