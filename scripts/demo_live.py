"""A small plant on this machine: a client polls a controller, a mirror port shows it to the sensor, a stranger writes.

    sudo python3 scripts/demo_live.py YAGURA PYTHON-WITH-PYMODBUS [--check]

Everything lives in network namespaces of its own, named with the process id, and goes away at the end. The sensor learns
for a while what is usual, then watches. Exits 1 where it does not find both ends, is not told of the stranger's write
within a second of its frame, or where anything was sent on the mirror port. With --check nothing but faults is printed,
and the second is five.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PLC, CLIENT, STRANGER = "10.77.1.9", "10.77.0.5", "10.77.0.66"
LEARN_S = 12
PATIENCE_S = 20
MARK = f"yg{os.getpid()}"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def inside(name, *command, **more):
    return subprocess.Popen(["ip", "netns", "exec", f"{MARK}{name}", *command], **more)


class Plant:
    """Namespaces, each with a cable to a bridge that floods like a hub; one of the cables is the mirror."""

    def __init__(self):
        self.names = []

    def build(self):
        self.namespace("b")
        run("ip", "-n", f"{MARK}b", "link", "add", "hub", "type", "bridge", "ageing_time", "0", "mcast_snooping", "0")
        run("ip", "-n", f"{MARK}b", "link", "set", "hub", "up")
        for name, address in [("p", PLC), ("c", CLIENT), ("s", STRANGER), ("m", None)]:
            self.namespace(name)
            near, far = f"{name}{os.getpid()}", f"h{name}{os.getpid()}"
            run("ip", "link", "add", near, "netns", f"{MARK}{name}", "type", "veth", "peer", "name", far,
                "netns", f"{MARK}b")
            run("ip", "-n", f"{MARK}b", "link", "set", far, "master", "hub", "up")
            if address:
                run("ip", "-n", f"{MARK}{name}", "address", "add", f"{address}/16", "dev", near)
                run("ip", "-n", f"{MARK}{name}", "link", "set", near, "up")
        return f"m{os.getpid()}"

    def namespace(self, name):
        run("ip", "netns", "add", f"{MARK}{name}")
        self.names.append(name)
        run("ip", "-n", f"{MARK}{name}", "link", "set", "lo", "up")

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", f"{MARK}{name}"], check=False)


def modbus(connection, transaction, pdu, unit=1):
    """Asks, and waits for the answer."""
    connection.sendall(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
    return connection.recv(300)


def poll():
    """The client: two reads a second, until it is ended."""
    while True:
        try:
            with socket.create_connection((PLC, 502), timeout=5) as connection:
                transaction = 0
                while True:
                    transaction = transaction % 65535 + 1
                    modbus(connection, transaction, struct.pack(">BHH", 3, 40, 10))
                    modbus(connection, transaction, struct.pack(">BHH", 4, 0, 8))
                    time.sleep(0.5)
        except OSError:
            time.sleep(0.2)


def intrude():
    """The stranger: one write to a set point."""
    with socket.create_connection((PLC, 502), timeout=5) as connection:
        modbus(connection, 1, struct.pack(">BHH", 6, 40, 9999))


def serve_plainly():
    """The controller where there is no pymodbus: answers reads with zeros, and writes with themselves."""
    import threading

    def answer(connection):
        with connection:
            while len(asked := connection.recv(260)) >= 12:
                head, (function, _, count) = asked[:7], struct.unpack(">BHH", asked[7:12])
                pdu = bytes([function]) + (bytes([count * 2]) + bytes(count * 2) if function in (3, 4) else asked[8:12])
                connection.sendall(head[:4] + struct.pack(">HB", len(pdu) + 1, head[6]) + pdu)

    with socket.create_server((PLC, 502)) as server:
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def serve():
    """The controller, by pymodbus."""
    import asyncio

    try:
        from pymodbus.server import StartAsyncTcpServer
        from pymodbus.simulator import DataType, SimData, SimDevice
    except ImportError:
        return serve_plainly()

    device = SimDevice(
        id=1,
        simdata=(
            [SimData(0, values=[True, False] * 8, datatype=DataType.BITS)],
            [SimData(0, values=[False, True] * 8, datatype=DataType.BITS)],
            [SimData(40, values=[200, 210, 50, 0, 0, 1, 0, 0, 12, 34], datatype=DataType.REGISTERS)],
            [SimData(0, values=[500] * 8, datatype=DataType.REGISTERS)],
        ),
    )
    asyncio.run(StartAsyncTcpServer([device], address=(PLC, 502)))


def sent(port):
    text = subprocess.check_output(["ip", "netns", "exec", f"{MARK}m", "cat", f"/sys/class/net/{port}/statistics/tx_packets"])
    return int(text)


def records(sensor, until):
    """Records as they are printed, with the moment at which each was."""
    for line in sensor.stdout:
        yield time.time(), json.loads(line)
        if time.time() > until:
            return


def seconds_of(text):
    """A record's time in seconds since 1970."""
    import datetime

    whole, fraction = text.rstrip("Z").split(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{fraction}")


def show(program, python, quiet):
    # A machine that is shared may stand still for a while: a check must not fail for that.
    patience = 5.0 if quiet else 1.0
    say = (lambda *words: None) if quiet else (lambda *words: print(*words, flush=True))
    plant, state = Plant(), pathlib.Path(tempfile.mkdtemp(prefix="yagura-live-"))
    running = []
    try:
        try:
            port = plant.build()
        except subprocess.CalledProcessError as error:
            print(f"demo-live: this machine builds no such network ({error}): left out", file=sys.stderr)
            return 0 if quiet else 1
        say(f"prepare {port}:")
        run("ip", "netns", "exec", f"{MARK}m", program, "prepare", port) if quiet else subprocess.run(
            ["ip", "netns", "exec", f"{MARK}m", program, "prepare", port], check=True)
        before = sent(port)
        config = state / "yagura.toml"
        config.write_text(f'state = "{state}/state"\nsensor = "demo"\n[[capture]]\ninterface = "{port}"\n')
        here = os.path.abspath(__file__)
        running.append(inside("p", python, here, "--serve"))
        time.sleep(1.5)
        running.append(inside("c", sys.executable, here, "--poll"))
        errors = subprocess.DEVNULL if quiet else None
        say(f"learning for {LEARN_S} s what is usual")
        learning = inside("m", program, "run", "--config", str(config), "--learn", f"{LEARN_S}s", stderr=errors)
        if learning.wait(timeout=LEARN_S + 60) != 0:
            raise SystemExit("the sensor did not learn")
        say("watching; a stranger is about to write")
        sensor = inside("m", program, "run", "--config", str(config), "--print", stdout=subprocess.PIPE, stderr=errors)
        running.append(sensor)
        time.sleep(3)
        inside("s", sys.executable, here, "--intrude").wait(timeout=10)
        delays = []
        for printed, record in records(sensor, time.time() + PATIENCE_S):
            if record.get("type") != "alert":
                continue
            delay = printed - seconds_of(record["time"])
            say(f"{delay * 1000:7.1f} ms  {record['severity']:<8} {record['summary']}")
            if record["detection"]["name"] == "write_unusual" and STRANGER in record["summary"]:
                delays.append(delay)
                break
        sensor_pid = sensor.pid
        os.kill(sensor_pid, signal.SIGTERM)
        sensor.wait(timeout=30)
        verified = subprocess.run([program, "journal", "--config", str(config), "verify"], capture_output=True, text=True)
        say(verified.stdout)
        baseline = (state / "state" / "baseline.toml").read_text()
        after = sent(port)
        faults = []
        if not delays or delays[0] > patience:
            faults.append(f"the stranger's write was not told within {patience} s: {delays}")
        if PLC not in baseline or CLIENT not in baseline:
            faults.append("the baseline has not both ends")
        if after != before:
            faults.append(f"{after - before} frames were sent on the mirror port")
        if verified.returncode != 0:
            faults.append(f"the journal is not in order: {verified.stdout}")
        for fault in faults:
            print(f"demo-live: {fault}", file=sys.stderr)
        say(f"told {delays[0] * 1000:.1f} ms after its frame; frames sent on the mirror port: {after - before}" if delays else "")
        return 1 if faults else 0
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
        plant.remove()
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--serve"]:
            serve()
        case ["--poll"]:
            poll()
        case ["--intrude"]:
            intrude()
        case [program, python, *rest]:
            sys.exit(show(program, python, rest == ["--check"]))
        case _:
            sys.exit(__doc__)
