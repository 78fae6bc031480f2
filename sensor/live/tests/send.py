"""Sends frames on an interface: send.py INTERFACE COUNT PORT PAYLOAD_OCTETS [PAUSE_SECONDS]; says how many it sent."""
import socket, struct, sys, time

interface, count, port, octets = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
pause = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
payload = b"y" * octets
udp = struct.pack("!HHHH", 50000, port, 8 + octets, 0) + payload
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
frame = b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + ip + udp
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((interface, 0))
sent = 0
for _ in range(count):
    while True:
        try:
            sender.send(frame)
            break
        except OSError as error:
            # No buffer is free for a moment.
            if error.errno != 105:
                raise
    sent += 1
    if pause:
        time.sleep(pause)
print(sent)
