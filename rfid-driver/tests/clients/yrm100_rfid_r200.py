"""Reads an R200 module with the client `rfid-r200` from PyPI and prints what it says, a line each.

Usage: yrm100_rfid_r200.py PORT

Tried with rfid-r200 0.1.1 (Python 3.12).
"""

import sys

# The wheel carries its source folder.
from src.rfid_r200 import R200

with R200(sys.argv[1], 115200, timeout=0.5) as reader:
    print("hardware", reader.hw_info()[1:])
    print("set_power", reader.set_power(20.0))
    print("power", reader.get_power())
    print("set_demodulator", reader.set_demodulator_params(2, 7, 100))
    print("demodulator", sorted(reader.get_demodulator_params().values()))
    tags, _ = reader.read_tags()
    for tag in sorted(tags, key=lambda tag: tag.epc):
        print("tag", bytes(tag.epc).hex(), f"{tag.pc:04x}", tag.rssi - 256)
