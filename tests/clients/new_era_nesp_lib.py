"""Real client: nesp_lib 2.0 (pip install nesp_lib) -> New Era NE-1000, 19200 8N1.
It opens with a safe mode frame; with a safe mode timeout it goes on in safe mode. usage: python new_era_nesp_lib.py PORT"""
import sys, time
from nesp_lib import Port, Pump, PumpingDirection, Status
with Port(sys.argv[1], 19200) as port:
    pump = Pump(port)
    assert pump.model_number == 1000 and pump.firmware_version == (3, 928)
    pump.syringe_diameter_mm = 14.43;  assert abs(pump.syringe_diameter_mm - 14.43) < 1e-6
    pump.pumping_direction = PumpingDirection.INFUSE
    pump.pumping_volume_ml = 0.05;     assert abs(pump.pumping_volume_ml - 0.05) < 1e-6
    pump.pumping_rate_ml_per_min = 6.0; assert abs(pump.pumping_rate_ml_per_min - 6.0) < 1e-6
    pump.volume_infused_clear()
    pump.run()                          # waits while it is running
    assert pump.status == Status.STOPPED and not pump.running
    first = pump.volume_infused_ml;    assert abs(first - 0.05) < 1e-6, first
    pump.pumping_volume_ml = 5.0
    pump.run(wait_while_running=False); assert pump.status == Status.INFUSING
    pump.stop();                        assert pump.status == Status.PAUSED
    pump.stop();                        assert pump.status == Status.STOPPED
    pump.safe_mode_timeout_s = 30;      assert pump.safe_mode_timeout_s == 30
    pump.pumping_volume_ml = 0.1; pump.volume_infused_clear()
    pump.run()
    second = pump.volume_infused_ml;   assert abs(second - 0.1) < 1e-6, second
    pump.safe_mode_timeout_s = 0
    assert abs(pump.volume_infused_ml - 0.1) < 1e-6
print("OK", first, second)
