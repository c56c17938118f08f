"""The LLRP reader of llrpkit on a loopback port, for rfid-driver/tests/llrp_emulator.rs.

It prints the port and serves until its standard input ends, so that it never outlives the test.
Lines on standard input move antennas: "antenna 1 off", "antenna 1 on"; each is answered "done".
"""

import argparse
import asyncio
import sys

from llrpkit.emulator import LLRPEmulator
from llrpkit.emulator.core import EmulatedTag


async def serve(arguments: argparse.Namespace) -> None:
    tags = [EmulatedTag(epc=bytes.fromhex(epc), antennas=(1, 2)) for epc in arguments.tag]
    async with LLRPEmulator(port=arguments.port, tags=tags, reads_per_sec=100.0) as reader:
        print(reader.port, flush=True)
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
        )
        while line := await commands.readline():
            _, port, state = line.decode().split()
            await reader.set_antenna_connected(int(port), state == "on")
            print("done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tag", action="append", default=[])
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
