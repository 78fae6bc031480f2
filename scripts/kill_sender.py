"""Sends writes of ever new clients on an interface, until it is ended: scripts/kill_sender.py INTERFACE."""

import socket
import struct
import sys
import time


def checksum(octets):
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(source, destination, ports, sequence, acknowledgment, flags, payload=b""):
    """An Ethernet frame with a TCP segment; its TCP checksum is left out, as nobody receives it."""
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledgment, 0x50, flags, 8192, 0, 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), sequence & 0xFFFF, 0, 64, 6, 0, source, destination)
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + head + tcp


def main(interface):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    server, client = bytes([10, 88, 0, 1]), 0
    while True:
        client += 1
        source = bytes([10, 89, client >> 8 & 255, client & 255])
        write = struct.pack(">HHHBBHH", 1, 0, 6, 1, 6, 40, client & 0xFFFF)
        wire.send(segment(source, server, (40000, 502), 100, 0, 0x02))
        wire.send(segment(server, source, (502, 40000), 300, 101, 0x12))
        wire.send(segment(source, server, (40000, 502), 101, 301, 0x18, write))
        wire.send(segment(server, source, (502, 40000), 301, 101 + len(write), 0x18, write))
        time.sleep(0.002)


main(sys.argv[1])
