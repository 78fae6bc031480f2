"""What whole processes cost on captures, beside a bare loop: bench_compare.py PROGRAMS FOLDER [ROUNDS]

PROGRAMS holds `yagura` and `bare`; every *.pcap of FOLDER (classic, Ethernet) is read by each program in turn, ROUNDS
times (five). Prints medians of processor time a million frames, multiples of the bare loop of the same capture, and the
most memory; beside them what the sensor counted, since a figure holds only for work that was done. tcpdump, ndpiReader
and argus are measured where they are installed.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time


def measure(command):
    """Processor seconds, seconds by the clock, and the most memory in MiB."""
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.execv(command[0], command)
    _, status, used = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)}: ended with {status}")
    return used.ru_utime + used.ru_stime, time.monotonic() - begun, used.ru_maxrss / 1024


def programs(folder, capture):
    yagura = str(folder / "yagura")
    rows = [
        ("bare: read and etherparse", [str(folder / "bare"), capture]),
        ("yagura, one thread", [yagura, "replay", "--threads", "1", capture]),
        ("yagura, two threads", [yagura, "replay", "--threads", "2", capture]),
    ]
    for name, arguments in [
        ("tcpdump", ["-r", capture, "-w", os.devnull]),
        ("ndpiReader", ["-q", "-i", capture]),
        ("argus", ["-r", capture, "-w", os.devnull]),
    ]:
        found = shutil.which(name)
        if found:
            rows.append((name, [found, *arguments]))
    return rows


def main(folder, captures, rounds):
    print("| capture | program | CPU s a million frames | times the bare loop | wall s | peak MiB |")
    print("| --- | --- | --: | --: | --: | --: |")
    counted = []
    for capture in sorted(captures.glob("*.pcap")):
        rows = programs(folder, str(capture))
        stats = json.loads(subprocess.check_output([str(folder / "yagura"), "stats", "--json", str(capture)]))
        frames = stats["frames"]
        taken = {name: [] for name, _ in rows}
        for _ in range(rounds):
            for name, command in rows:
                taken[name].append(measure(command))
        bare = statistics.median(cpu for cpu, _, _ in taken[rows[0][0]])
        for name, _ in rows:
            cpu, wall = (statistics.median(one[place] for one in taken[name]) for place in (0, 1))
            most = max(one[2] for one in taken[name])
            print(f"| {capture.stem} | {name} | {cpu / frames * 1e6:.3f} | {cpu / bare:.1f} | {wall:.2f} | {most:.0f} |")
        spoken = {name: protocol["messages"] for name, protocol in stats["protocols"].items()}
        counted.append(f"{capture.stem}: {frames} frames, {stats['flows']} flows, {spoken}")
    print("\nCounted by the sensor:\n")
    print("\n".join(f"- {line}" for line in counted))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 5)
