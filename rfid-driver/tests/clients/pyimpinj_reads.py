"""A host that uses PyPI's pyImpinj, as its own examples do, on the port given as the argument.

Prints one line for each fact that the test checks; nothing here knows what stands at the other end.
"""

import queue
import sys
import time

from pyImpinj import ImpinjR2KReader
from pyImpinj.enums import ImpinjR2KFastSwitchInventory

PATIENCE_S = 10


def until_done(packages, begin):
    """Begins an inventory and gives its tags when it is done."""
    begin()
    tags = []
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            package = packages.get(timeout=1)
        except queue.Empty:
            continue
        if package["type"] == "TAG":
            tags.append(package)
        else:
            return tags, package
    return tags, {"type": "TIMEOUT"}


def said(name, value):
    print(f"{name}={value}", flush=True)


def inventories(reader, packages):
    for name, begin in [
        ("real_time", lambda: reader.rt_inventory(repeat=1)),
        ("session", lambda: reader.session_inventory(session="S1", target="A", repeat=1)),
    ]:
        tags, end = until_done(packages, begin)
        said(name, ",".join(sorted(tag["epc"] for tag in tags)))
        said(f"{name}_end", f"{end['type']} {end.get('total_read')}")
    said("rssi", tags[0]["rssi"])
    said("frequency", tags[0]["frequency"])
    switch = dict(
        A=ImpinjR2KFastSwitchInventory.ANTENNA1, Aloop=1,
        B=ImpinjR2KFastSwitchInventory.ANTENNA2, Bloop=1,
        C=ImpinjR2KFastSwitchInventory.DISABLED, Cloop=1,
        D=ImpinjR2KFastSwitchInventory.DISABLED, Dloop=1,
        Interval=0, Repeat=1,
    )
    tags, end = until_done(packages, lambda: reader.fast_switch_ant_inventory(param=switch))
    said("fast_switch", ",".join(sorted({f"{tag['epc']}@{tag['antenna']}" for tag in tags})))
    said("fast_switch_end", end["type"])


def memory(reader, epc):
    said("tid", reader.read(epc=epc, bank="TID", address=0, size=6))
    said("written", reader.write(epc=epc, data="CAFEBABE", bank="USER", address=1))
    said("user", reader.read(epc=epc, bank="USER", address=0, size=4))


def buffer(reader):
    said("reset_buffer", reader.reset_inventory_buffer())
    said("buffered", reader.inventory(repeat=1))
    said("buffer_count", reader.get_inventory_buffer_tag_count())
    said("buffer", ",".join(sorted(reader.get_and_reset_inventory_buffer(loop=2))))
    said("buffer_count_after", reader.get_inventory_buffer_tag_count())


def settings(reader):
    said("temperature", reader.temperature())
    said("identifier", bytes(reader.identifier()).decode())
    said("set_power", reader.set_rf_power(20, 21, 22, 23))
    said("power", list(reader.get_rf_power()))
    said("fast_power", reader.fast_power(25))
    said("beeper", reader.beeper(0))
    said("set_antenna", reader.set_work_antenna(1))
    said("antenna", list(reader.get_work_antenna()))
    said("set_antenna_back", reader.set_work_antenna(0))
    said("set_detector", reader.set_ant_connection_detector(5))
    said("detector", list(reader.get_ant_connection_detector()))
    said("return_loss", reader.get_rf_port_return_loss(freq=902.0))
    said("input", reader.di(1))
    said("output", reader.do(3, True))
    said("set_region", reader.set_frequency_region(920.0, 925.0, region=3))
    said("region", sorted(reader.get_frequency_region().items()))
    # It sends ten times the spacing in one byte, so 25 is the most.
    said("set_user_region", reader.set_frequency_region_user(920250, 20, 10))
    said("user_region", sorted(reader.get_frequency_region().items()))


def main():
    packages = queue.Queue(1024)
    reader = ImpinjR2KReader(packages, address=1)
    reader.connect(sys.argv[1])
    reader.worker_start()
    try:
        inventories(reader, packages)
        buffer(reader)
        memory(reader, sys.argv[2])
        settings(reader)
    finally:
        reader.worker_close()


if __name__ == "__main__":
    main()
