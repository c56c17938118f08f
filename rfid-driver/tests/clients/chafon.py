"""Clients of UHFReader that others wrote, each used as its own examples use it.

    chafon.py CLIENT PORT MODEL

CLIENT is `chafon` (wabson.chafon-rfid), `wyuan` (omnitag) or `uhfreader18`. What the client made of
the reader goes to standard output, one fact a line. It does not judge: the Rust test does.
"""

import socket
import sys
import threading


def chafon(port, model):
    from chafon_rfid.base import CommandRunner, ReaderCommand, ReaderInfoFrame
    from chafon_rfid.base import ReaderResponseFrame
    from chafon_rfid.command import (
        CF_GET_READER_INFO,
        CF_SET_RF_POWER,
        CF_SET_WORK_MODE_18,
        CF_SET_WORK_MODE_288M,
        G2_TAG_INVENTORY,
    )
    from chafon_rfid.response import G2_TAG_INVENTORY_STATUS_MORE_FRAMES
    from chafon_rfid.transport_serial import SerialTransport
    from chafon_rfid.uhfreader18 import G2InventoryResponseFrame as Response18
    from chafon_rfid.uhfreader288m import G2InventoryCommand
    from chafon_rfid.uhfreader288m import G2InventoryResponseFrame as Response288

    transport = SerialTransport(port, 57600, timeout=5)
    runner = CommandRunner(transport)
    info = ReaderInfoFrame(runner.run(ReaderCommand(CF_GET_READER_INFO)))
    print("type", info.type.name)
    print("band", info.frequency_band.name, info.get_min_frequency(), info.get_max_frequency())
    mode = (
        ReaderCommand(CF_SET_WORK_MODE_288M, data=[0])
        if model == "288"
        else ReaderCommand(CF_SET_WORK_MODE_18, data=[0, 2, 4, 2, 6, 0])
    )
    for command in [mode, ReaderCommand(CF_SET_RF_POWER, data=[27])]:
        print("status", ReaderResponseFrame(runner.run(command)).result_status)
    print("power", ReaderInfoFrame(runner.run(ReaderCommand(CF_GET_READER_INFO))).power)
    if model == "288":
        inventory, response = G2InventoryCommand(q_value=4, scan_time=5), Response288
    else:
        inventory, response = ReaderCommand(G2_TAG_INVENTORY), Response18
    for _ in range(3):
        transport.write(inventory.serialize())
        status = G2_TAG_INVENTORY_STATUS_MORE_FRAMES
        while status == G2_TAG_INVENTORY_STATUS_MORE_FRAMES:
            frame = response(transport.read_frame())
            status = frame.result_status
            for tag in frame.get_tag():
                print("tag", tag.epc.hex(), tag.antenna_num)
        print("end", status)


def wyuan(port, model):
    import asyncio

    from omnitag.drivers.wyuan import WyuanReader

    async def read():
        async with WyuanReader(port, antenna=1, fast_id=True) as reader:
            count = 0
            async for read in reader.inventory():
                tid = read.tid.hex() if read.tid else "-"
                print("tag", read.epc.hex(), read.antenna, tid)
                count += 1
                if count == 6:
                    break

    asyncio.run(read())


def uhfreader18(port, model):
    import serial
    from uhfreader18 import RfidClient

    line = serial.Serial(port, 57600, timeout=0.05)
    server = socket.create_server(("127.0.0.1", 0))

    def carry():
        peer, _ = server.accept()
        peer.settimeout(0.01)
        try:
            while True:
                heard = line.read(line.in_waiting or 1)
                if heard:
                    peer.sendall(heard)
                try:
                    said = peer.recv(256)
                except TimeoutError:
                    continue
                if not said:
                    return
                line.write(said)
        finally:
            peer.close()

    bridge = threading.Thread(target=carry, daemon=True)
    bridge.start()
    with RfidClient("127.0.0.1", server.getsockname()[1], timeout=5) as client:
        info, address = client.discover_address()
        print("type", info.reader_model.name, info.band.name, "address", address)
        client.set_power(address, 20)
        client.set_scan_time(address, 5)
        client.set_address(address, 7)
        print("power", client.get_reader_info(7).power, client.get_reader_info(7).scan_time)
        mode = client.get_work_mode(7)
        print("mode", mode.work_mode.name, mode.mem_inven.name)
        client.acousto_optic_control(7, 1, 1, 1)


if __name__ == "__main__":
    _, client, port, model = sys.argv
    {"chafon": chafon, "wyuan": wyuan, "uhfreader18": uhfreader18}[client](port, model)
