"""Replays a benign and an attacked day of a substation, and says which lines of the attack log are met by an alert."""

import argparse
import collections
import datetime
import json
import lzma
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

BENIGN = "Control__control__testing__frequent__attacker.pcap"
ATTACKED = "Attacks__attacks__testing__frequent__attacker.pcap"
LOG = "Attacks__attacks__testing__frequent.log"
BASELINE = "baseline.toml"
ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "accuracy.md"
MARKS = "<!-- measured: scripts/accuracy.sh --update -->", "<!-- end of what was measured -->"

# The log was written by a clock that is ten hours ahead of the captures, which are in UTC.
LOG_ZONE = datetime.timezone(datetime.timedelta(hours=10))
# A line is met by what is told from its start until so many seconds later.
WITHIN_S = 60
# What is told so many seconds after a line's end still belongs to it: connections that break, values that were missed.
AFTERMATH_S = 60
# The attacked day lasts so long.
HOURS = 24
GRAVE = ("low", "medium", "high", "critical")

# The attacker's own address, where it does not wear another's. Who is a stranger to the baseline is named only by this:
# the benign day has nothing of what master and outstation say to each other, so that they are new to it as well.
ATTACKER, MASTER, OUTSTATION = "192.168.10.66", "192.168.10.221", "192.168.10.222"
OF_ATTACKER = {"conversation_new"}

# For each kind of attack, by the beginning of its name: the detections that say what it is, and whether it must be met.
# The first that fits counts.
KINDS = [
    ("nmap", {"scan_sweep"}, True),
    ("reconnaissance", {"scan_sweep", "conversation_new", "request_flood"}, True),
    ("MITM_", {"arp_spoofing"}, True),
    ("master_flooding", {"request_flood"}, True),
    ("master_replay_flooding", {"request_flood"}, True),
    ("slave_masquerading_flooding", {"unsolicited_storm"}, True),
    ("injection_ColdRestart", {"controller_dangerous"}, True),
    ("injection_WarmRestart", {"controller_dangerous"}, True),
    ("injection_FreezeObj", {"operation_new", "write_unusual", "session_irregular", "protocol_malformed"}, False),
    ("injection_", {"session_irregular", "stream_conflict", "protocol_malformed"}, False),
    ("master_hijacking", {"conversation_new", "request_flood"}, False),
    ("master_replay", {"conversation_new", "request_flood"}, False),
    ("master_masquerading", {"conversation_new"}, False),
    ("slave_masquerading", {"asset_address_conflict", "stream_conflict", "quality_bad"}, False),
]
# Lines that are something else on the wire than their name says: what says it then, and what it is.
OTHERWISE = {
    28: ({"conversation_new"}, "no flood here: 15 reads in 8 s, each sent after the answer to the one before"),
    60: ({"protocol_unexpected_port"}, "one frame from 127.0.0.1 to itself, MAC addresses all zero: the tool's defaults; it reached nobody"),
}

# Why a line of a kind is not met.
REASONS = [
    ("injection_FreezeObj", "in the master's own connection; what no baseline knows of this pair was told once, at line 9"),
    ("injection_", "a report of the usual form in the outstation's own connection: nothing shows that another sent it"),
    ("slave_masquerading", "the attacker has taken the outstation's address and MAC address, and answers as it does"),
]

Line = collections.namedtuple("Line", "number kind start end")
Met = collections.namedtuple("Met", "alert after")


def moment(text):
    """A record's time, in seconds since 1970."""
    return datetime.datetime.fromisoformat(text[:26] + "+00:00").timestamp()


def clock(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%m-%d %H:%M:%S")


def lines_of(path):
    """The lines of the log, start and end put together."""
    lines = []
    for row in path.read_text().splitlines():
        day, hour, kind, *_, stage = row.split()
        time = datetime.datetime.fromisoformat(f"{day} {hour}").replace(tzinfo=LOG_ZONE).timestamp()
        if stage == "START":
            lines.append(Line(len(lines) + 1, kind, time, None))
        elif lines and lines[-1].kind == kind and stage == "END":
            lines[-1] = lines[-1]._replace(end=time)
        else:
            raise ValueError(f"{path.name}: an end without its start: {row}")
    return lines


def rule_of(line):
    """The detections that say what a line is, and whether one of them must."""
    names, must = next((names, must) for start, names, must in KINDS if line.kind.startswith(start))
    return OTHERWISE.get(line.number, (names, ""))[0], must


def is_named(alert, names):
    """Whether an alert is of a detection that says what happens, and of the attacker where only that tells."""
    name = alert["detection"]["name"]
    if name in OF_ATTACKER and not any(asset["address"] == ATTACKER for asset in alert["assets"]):
        return False
    return name in names


def unpacked(folder, name, into):
    """The capture as a plain file: unpacked where it is packed."""
    for place in (folder, folder / "large", folder / "labels"):
        if (place / name).is_file():
            return place / name
        if (place / f"{name}.xz").is_file():
            with lzma.open(place / f"{name}.xz") as packed, open(into / name, "wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
            return into / name
    sys.exit(f"accuracy: neither {name} nor {name}.xz is in {folder}")


def halves(capture, into):
    """The time in the middle of a capture, and its second half as a file of its own: a classic pcap, in microseconds."""
    octets = capture.read_bytes()
    if octets[:4] != bytes.fromhex("d4c3b2a1"):
        sys.exit(f"accuracy: {capture.name} is no little-endian pcap in microseconds")
    at, frames = 24, []
    while at + 16 <= len(octets):
        seconds, micros, length, _ = struct.unpack_from("<IIII", octets, at)
        frames.append((at, seconds + micros / 1e6))
        at += 16 + length
    middle = int((frames[0][1] + frames[-1][1]) / 2)
    cut = next(at for at, time in frames if time > middle)
    second = into / "second-half.pcap"
    second.write_bytes(octets[:24] + octets[cut:])
    return middle, second, len(frames)


def run(folder, yagura, *arguments):
    """Standard output. What is in the folder is named without it, since records name the files that they rest on."""
    done = subprocess.run([yagura, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        sys.exit(f"accuracy: yagura {arguments[0]} ended with {done.returncode}")
    return done.stdout


def alerts_of(folder, yagura, capture):
    records = map(json.loads, run(folder, yagura, "replay", capture, "--baseline", BASELINE).splitlines())
    return [record for record in records if record["type"] == "alert"]


def judged(lines, alerts):
    """What each line is met by, what else is told within it, and what belongs to none.

    The alert that closes a window of repeats says nothing new, and is left out.
    """
    met, beside, stray = {}, collections.defaultdict(list), []
    for alert in alerts:
        if alert["closes"] is not None:
            continue
        time = moment(alert["time"])
        # Where two lines follow each other closely, what is told belongs to the one that began last.
        line = next((line for line in reversed(lines) if line.start - 1 <= time <= line.end + AFTERMATH_S), None)
        if line is None:
            stray.append(alert)
            continue
        names, _ = rule_of(line)
        after = max(time - line.start, 0)
        if is_named(alert, names) and after <= WITHIN_S and line.number not in met:
            met[line.number] = Met(alert, after)
        else:
            beside[line.number].append(alert)
    return met, beside, stray


def counted(alerts):
    """Names of detections, and how often: `stream_conflict 2, clock_set`."""
    counts = collections.Counter(alert["detection"]["name"] for alert in alerts)
    return ", ".join(name if count == 1 else f"{name} {count}" for name, count in counts.items())


def outcome(line, met, beside):
    """What became of a line, and what is to be said of it."""
    if line.number in met:
        found = met[line.number]
        what = f"{found.alert['detection']['name']} ({found.alert['severity']}) after {found.after:.1f} s"
        flow = found.alert["flow"]
        if flow and (flow["client"]["address"], flow["server"]["address"]) == (OUTSTATION, MASTER):
            return what, "the forged frame has the direction bit of an outstation: the alert has master and outstation the wrong way round"
        return what, OTHERWISE.get(line.number, ("", ""))[1]
    reason = next((reason for start, reason in REASONS if line.kind.startswith(start)), "")
    return ("not named" if beside.get(line.number) else "missed"), reason


def report(facts, lines, met, beside, stray):
    """The measured part of the document."""
    must = [line for line in lines if rule_of(line)[1]]
    rest = [line for line in lines if not rule_of(line)[1]]
    named = lambda some: sum(line.number in met for line in some)
    text = [
        "| what | measured |",
        "| --- | --: |",
        f"| benign day: frames, and alerts of its second half at low or above | {facts['benign_frames']:,}, {len(facts['false'])} |",
        f"| attacked day: frames, and lines of the log | {facts['attacked_frames']:,}, {len(lines)} |",
        f"| lines that must be met, and are | {len(must)}, {named(must)} |",
        f"| other lines, and those that are met | {len(rest)}, {named(rest)} |",
        f"| longest time from a line's start to the alert that meets it | {max(found.after for found in met.values()):.1f} s |",
        f"| alerts of the attacked day, closing ones apart | {facts['alerts']} |",
        f"| of them outside every line; an hour | {len(stray)}; {len(stray) / HOURS:.2f} |",
        "",
        "| line | UTC | kind | met by | also told | remark |",
        "| --: | --- | --- | --- | --- | --- |",
    ]
    for line in lines:
        what, why = outcome(line, met, beside)
        star = "" if rule_of(line)[1] else " *"
        text.append(f"| {line.number} | {clock(line.start)} | {line.kind}{star} | {what} | {counted(beside[line.number])} | {why} |")
    text += ["", "Alerts outside every line:", ""]
    text += [f"- {clock(moment(alert['time']))} {alert['detection']['name']} ({alert['severity']}): {alert['summary']}" for alert in stray]
    if not stray:
        text.append("None.")
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(prog="scripts/accuracy.sh", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the measured part of docs/accuracy.md anew")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for baseline and alerts, to look at")
    parser.add_argument("folder", type=pathlib.Path, help="holds the captures and the log")
    parser.add_argument("yagura", nargs="?", type=pathlib.Path, default=ROOT / "target/release/yagura")
    asked = parser.parse_args()
    asked.folder = asked.folder.resolve()
    if not asked.yagura.is_file():
        subprocess.run(["cargo", "build", "--release", "--locked", "-p", "yagura"], cwd=ROOT, check=True)
    yagura = str(asked.yagura.resolve())
    with tempfile.TemporaryDirectory() as name:
        into = pathlib.Path(name)
        lines = lines_of(unpacked(asked.folder, LOG, into))
        benign = unpacked(asked.folder, BENIGN, into)
        middle, second, benign_frames = halves(benign, into)
        attacked = unpacked(asked.folder, ATTACKED, into)
        run(into, yagura, "learn", benign, "--until", middle, "--out", BASELINE)
        false = [alert for alert in alerts_of(into, yagura, second) if alert["severity"] in GRAVE]
        alerts = alerts_of(into, yagura, attacked)
        stats = json.loads(run(into, yagura, "stats", attacked, "--json"))
        if asked.keep:
            asked.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(into / BASELINE, asked.keep)
            (asked.keep / "alerts.jsonl").write_text("".join(json.dumps(alert) + "\n" for alert in alerts))
    met, beside, stray = judged(lines, alerts)
    facts = {
        "benign_frames": benign_frames,
        "attacked_frames": stats["frames"],
        "false": false,
        "alerts": sum(alert["closes"] is None for alert in alerts),
    }
    text = report(facts, lines, met, beside, stray)
    print(text)
    if asked.update:
        head, rest = DOCUMENT.read_text().split(MARKS[0])
        _, tail = rest.split(MARKS[1])
        DOCUMENT.write_text(f"{head}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{tail}")
    wrong = [f"line {line.number} ({line.kind}) is not met" for line in lines if rule_of(line)[1] and line.number not in met]
    wrong += [f"the benign half day: {alert['summary']}" for alert in false]
    for one in wrong:
        print(f"accuracy: {one}", file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
