"""Real client: julabo (pip install julabo serialio) -> JULABO CF31 circulator, 4800 7E1, RTS/CTS.
Its asyncio side; the blocking one passes `terminator=` to pyserial, which 3.5 does not know (its bug, 2.3.0).
usage: python julabo_julabo.py PORT"""
import sys, asyncio
from julabo import JulaboCF, connection_for_url
async def main(port):
    line = connection_for_url("serial://" + port, concurrency="asyncio", baudrate=4800, bytesize=7, parity="E", rtscts=True, timeout=3)
    await line.open()
    bath = JulaboCF(line)
    print(await bath.identification(), "|", await bath.status())
    await bath.set_point_1(60)
    await bath.start()
    assert await bath.is_started()
    assert await bath.set_point_1() == 60.0
    print("bath", await bath.bath_temperature(), "power", await bath.heating_power())
    await bath.stop()
    assert not await bath.is_started()
    print("OK", await bath.status())
    await line.close()
asyncio.run(main(sys.argv[1]))
