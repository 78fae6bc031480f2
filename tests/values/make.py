"""Writes the figures of a reference dissector, tshark, about a capture: one row a message, object header or point.

    python3 tests/values/make.py CAPTURE PROTOCOL [SOURCE] > tests/values/NAME.tsv
    python3 tests/values/make.py all [CORPUS]

PROTOCOL is dnp3, iec104 or modbus; SOURCE says where a capture that is not in the repository comes from. `all` writes
every table of this folder anew, those of captures from elsewhere only when they lie under CORPUS, the folder that
`scripts/corpus.sh` reads; the lines `# explained` stay in them. Needs tshark; the tables here are from TShark 4.0.17.
README.md says what the columns mean.
"""

import datetime
import hashlib
import os
import pathlib
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE.parent.parent / "fixtures" / "recorded"
LARGEST = 140 * 1024
HEAD = 4
MOST_POINTS = 16
FILTERS = {"dnp3": "dnp3", "iec104": "iec60870_104", "modbus": "modbus"}
EPOCH = datetime.datetime(1970, 1, 1)

COLUMNS = {
    "dnp3": (
        "frame protocol kind message source destination control application function indications "
        "header group variation qualifier quantity index value flags time_ms status code count on_ms off_ms"
    ).split(),
    "iec104": (
        "frame protocol kind apdu send receive unnumbered type sequence objects cause negative test originator "
        "common_address object address value quality time_ms time_invalid select qualifier"
    ).split(),
    "modbus": "frame protocol kind message transaction unit function exception reference count place value".split(),
}

# Tables of this folder: capture in fixtures/recorded or under the corpus, protocol, source of what is not ours.
TABLES = {
    "c104-substation": ("c104-substation/capture.pcap", "iec104", None),
    "opendnp3-feeders": ("opendnp3-feeders/capture.pcap", "dnp3", None),
    "pymodbus-reads-writes": ("pymodbus-reads-writes/capture.pcap", "modbus", None),
    "parsitects-iec104": (
        "parsitects__zeek-iec104/testing__Traces__first__iec104.pcap", "iec104",
        "parsitects/zeek-iec104 testing/Traces/first/iec104.pcap"),
    "emreekin-104deneme": (
        "EmreEkin__ICS-Pcaps/IEC60870-104__104deneme.pcap", "iec104", "EmreEkin/ICS-Pcaps IEC60870-104/104deneme.pcap"),
    "emreekin-58-59": (
        "EmreEkin__ICS-Pcaps/IEC60870-104__58_59.pcap", "iec104", "EmreEkin/ICS-Pcaps IEC60870-104/58_59.pcap"),
    "iti-090813-diverse": (
        "ITI__ICS-Security-Tools/IEC60870-5-104__090813_diverse.pcap", "iec104",
        "ITI/ICS-Security-Tools IEC60870-5-104/090813_diverse.pcap"),
    "ntop-iec104": ("ntop__nDPI/iec60780-5-104.pcap", "iec104", "ntop/nDPI iec60780-5-104.pcap"),
    "malcolm-dnp3": (
        "idaholab__Malcolm-Test-Artifacts/protocols__DNP3.pcap", "dnp3",
        "idaholab/Malcolm-Test-Artifacts protocols/DNP3.pcap"),
    "icsnpp-dnp3-example": (
        "cisagov__icsnpp-dnp3/dnp3_example.pcap", "dnp3", "cisagov/icsnpp-dnp3 dnp3_example.pcap"),
    "ntop-dnp3": ("ntop__nDPI/dnp3.pcap", "dnp3", "ntop/nDPI dnp3.pcap"),
    "zeek-dnp3": ("zeek__zeek/dnp3__dnp3.pcap", "dnp3", "zeek/zeek dnp3/dnp3.pcap"),
    "suricata-modbus": (
        "OISF__suricata-verify/modbus__modbus.pcap", "modbus", "OISF/suricata-verify modbus/modbus.pcap"),
    "iti-modbus-test-data": (
        "ITI__ICS-Security-Tools/ModbusTCP__modbus_test_data_part1.pcap", "modbus",
        "ITI/ICS-Security-Tools ModbusTCP/modbus_test_data_part1.pcap"),
}


def descendants(element, name):
    """Every field of a name, in the order of the octets."""
    return [field for field in element.iter("field") if field.get("name") == name]


def shown(element, name, default=""):
    """What the dissector shows for the first field of a name."""
    found = descendants(element, name)
    return found[0].get("show") if found else default


def whole(text):
    """A number as the dissector writes it, decimal or hexadecimal, as decimal."""
    return "" if text == "" else str(int(text, 0))


def exact(field, code):
    """A number from the octets of its field, to the last digit: the dissector shows six, and both must agree."""
    octets = bytes.fromhex(field.get("value"))
    value = struct.unpack(code, octets)[0]
    if code == "<I":
        # The dissector shows the first octet as the highest; IEC 60870-5-101 numbers its bits from 1.
        return str(value)
    if code == "<h":
        value /= 32768
    about = float(field.get("show"))
    if value == value and abs(value - about) > 1e-5 * max(1.0, abs(value)):
        raise ValueError(f"{field.get('showname')} is not {value}")
    return repr(value)


def milliseconds(moment):
    """Milliseconds since 1970 of a clock that is taken for UTC."""
    return str(round((moment - EPOCH) / datetime.timedelta(milliseconds=1)))


def spoken_time(text):
    """Milliseconds of a time as the dissector writes it."""
    found = re.search(r"([A-Z][a-z]{2}) +(\d+), (\d{4}) (\d+):(\d+):(\d+)\.(\d{3})", text)
    if not found:
        return ""
    month, day, year, hour, minute, second, thousandth = found.groups()
    number = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split().index(month) + 1
    parts = [int(part) for part in (day, year, hour, minute, second, thousandth)]
    moment = datetime.datetime(parts[1], number, parts[0], *parts[2:5], parts[5] * 1000)
    return milliseconds(moment)


# DNP3

DNP3_VALUES = {
    "dnp3.al.bit": None, "dnp3.al.2bit": None, "dnp3.al.cnt": None, "dnp3.al.ana.int": None, "dnp3.al.anaout.int": None,
    "dnp3.al.ana.float": "<f", "dnp3.al.anaout.float": "<f",
    "dnp3.al.ana.double": "<d", "dnp3.al.anaout.double": "<d", "dnp3.al.bocs": None, "dnp3.al.da.value": "text",
}


def dnp3_point(point):
    """The figures of one point: index, value, flags, time, and a command's own."""
    row = {"index": shown(point, "dnp3.al.index") or shown(point, "dnp3.al.point_index")}
    text = point.get("show") or ""
    for name, code in DNP3_VALUES.items():
        for field in descendants(point, name)[:1]:
            if code == "text":
                row["value"] = re.sub(r"[^ -~]", ".", field.get("show"))
            else:
                row["value"] = exact(field, code) if code else field.get("show")
    for kind in ("biq", "boq", "ctrq", "aiq", "aoq"):
        for field in descendants(point, f"dnp3.al.{kind}.b0")[:1]:
            row["flags"] = "0x" + field.get("unmaskedvalue")
            if kind in ("biq", "boq"):
                row["value"] = re.search(r"Value: (\d+)", text).group(1)
    if descendants(point, "dnp3.al.timestamp") or descendants(point, "dnp3.al.reltimestamp"):
        row["time_ms"] = spoken_time(text) or spoken_time(shown(point, "dnp3.al.timestamp"))
    for part in point.iter("field"):
        if (part.get("show") or "").startswith("Control Code [") and part.get("value"):
            row["code"] = "0x" + part.get("value")
    row["status"] = shown(point, "dnp3.al.ctrlstatus")
    row["count"] = shown(point, "dnp3.al.count")
    row["on_ms"] = shown(point, "dnp3.al.on_time")
    row["off_ms"] = shown(point, "dnp3.al.off_time")
    return row


def dnp3_object(header):
    """The rows of one object header: itself, then its points."""
    prefix, range_code = descendants(header, "dnp3.al.objq.prefix"), descendants(header, "dnp3.al.objq.range")
    group, variation = bytes.fromhex(header.get("value"))[:2]
    named = {"group": str(group), "variation": str(variation)}
    if prefix:
        named["qualifier"] = f"0x{int(prefix[0].get('show')) << 4 | int(range_code[0].get('show')):02x}"
    unknown = bool(descendants(header, "dnp3.unknown_object"))
    items = [field.get("show") for field in header if (field.get("show") or "").startswith("Number of Items: ")]
    quantity = items[0].rsplit(" ", 1)[1] if items else ""
    rows = [{**named, "kind": "unknown" if unknown else "object", "quantity": quantity}]
    if unknown:
        return rows
    for part in header:
        text = part.get("show") or ""
        if text.startswith("Point Number "):
            if len(rows) > MOST_POINTS:
                break
            rows.append({**named, "kind": "point", **dnp3_point(part)})
        elif part.get("name") == "dnp3.al.timestamp" and len(rows) > 1:
            rows[-1]["value"] = spoken_time(text)
        elif part.get("name") == "dnp3.al.time_delay" and len(rows) > 1:
            rows[-1]["value"] = text
        elif part.get("name") == "dnp3.al.octet_string" and len(rows) > 1:
            rows[-1]["value"] = text.replace(":", "")
    return rows


def dnp3_rows(packet):
    """Rows of every link frame without user data and every application fragment that ends in this packet."""
    message = 0
    for link in packet.findall("proto"):
        if link.get("name") != "dnp3":
            continue
        named = {
            "source": shown(link, "dnp3.src"), "destination": shown(link, "dnp3.dst"),
            "control": shown(link, "dnp3.ctl"), "message": str(message),
        }
        function = shown(link, "dnp3.al.func")
        if function == "":
            if not descendants(link, "dnp3.tr.ctl"):
                yield {**named, "kind": "link"}
                message += 1
            continue
        indications = shown(link, "dnp3.al.iin")
        yield {
            **named, "kind": "message", "application": shown(link, "dnp3.al.ctl"), "function": function,
            "indications": indications,
        }
        for number, header in enumerate(descendants(link, "dnp3.al.obj")):
            for row in dnp3_object(header):
                yield {**named, "function": function, "header": str(number), **row}
        message += 1


# IEC 60870-5-104

IEC104_VALUES = {
    "siq.spi": None, "diq.dpi": None, "vti.v": None, "bitstring": "<I", "normval": "<h", "scalval": None,
    "float": "<f", "bcr.count": None, "sco.on": None, "dco.on": None, "rco.up": None,
}
IEC104_QUALITIES = ("siq", "diq", "qds", "qdp")
IEC104_QUALIFIERS = ("qoi", "qrp", "sco.qu", "dco.qu", "rco.qu", "qos.ql", "qpm", "coi", "qcc", "qpa")
IEC104_FORMATS = {0: "I", 1: "S", 3: "U"}


def iec104_time(fields, row):
    """CP56Time2a from its parts; no time when the calendar has no such day."""
    part = {name.rsplit(".", 1)[1]: int(show) for name, show in fields if name.startswith("cp56time.")}
    if not part:
        return
    row["time_invalid"] = str(part["iv"])
    try:
        moment = datetime.datetime(2000 + part["year"], part["month"], part["day"], part["hour"], part["min"])
        row["time_ms"] = milliseconds(moment + datetime.timedelta(milliseconds=part["ms"]))
    except ValueError:
        pass


def iec104_object(fields):
    """The figures of one information object from its fields, in the order of the octets."""
    prefix = "iec60870_asdu."
    row = {"address": fields[0].get("show")}
    names = [((field.get("name") or "").removeprefix(prefix), field) for field in fields]
    for name, field in names:
        if name in IEC104_VALUES and "value" not in row:
            code = IEC104_VALUES[name]
            row["value"] = exact(field, code) if code else whole(field.get("show"))
        if name in IEC104_QUALITIES:
            row["quality"] = "0x" + field.get("value")
        if name == "bcr.sq":
            row["quality"] = "0x" + field.get("unmaskedvalue")
        if name.endswith(".se"):
            row["select"] = field.get("show")
        if name in IEC104_QUALIFIERS:
            row["qualifier"] = whole(field.get("show"))
    iec104_time([(name, field.get("show")) for name, field in names], row)
    return row


def iec104_rows(packet):
    """A row for each S and U format APDU and for each information object of an I format APDU."""
    apdu, named = -1, {}
    for proto in packet.findall("proto"):
        if proto.get("name") == "iec60870_104":
            if not descendants(proto, "iec60870_104.type"):
                continue
            apdu += 1
            kind = IEC104_FORMATS[int(shown(proto, "iec60870_104.type"), 16)]
            unnumbered = shown(proto, "iec60870_104.utype")
            named = {
                "kind": kind, "apdu": str(apdu), "send": shown(proto, "iec60870_104.tx"),
                "receive": shown(proto, "iec60870_104.rx"),
                "unnumbered": f"0x{int(unnumbered, 0) << 2 | 3:02x}" if unnumbered else "",
            }
            if kind != "I":
                yield named
        elif proto.get("name") == "iec60870_asdu":
            asdu = "iec60870_asdu."
            head = {
                **named, "type": shown(proto, asdu + "typeid"), "sequence": shown(proto, asdu + "sq"),
                "objects": shown(proto, asdu + "numix"), "cause": shown(proto, asdu + "causetx"),
                "negative": shown(proto, asdu + "nega"), "test": shown(proto, asdu + "test"),
                "originator": shown(proto, asdu + "oa"), "common_address": shown(proto, asdu + "addr"),
            }
            objects = []
            for field in proto.iter("field"):
                if field.get("name") == asdu + "ioa":
                    objects.append([])
                if objects:
                    objects[-1].append(field)
            for number, fields in enumerate(objects):
                yield {**head, "object": str(number), **iec104_object(fields)}


# Modbus


def modbus_rows(packet):
    """A row for each message, then one for each register or coil that the dissector gives a number."""
    message, transaction, unit = -1, "", ""
    to_server = "502" in (shown(packet, "tcp.dstport"), shown(packet, "udp.dstport"))
    for proto in packet.findall("proto"):
        if proto.get("name") == "mbtcp":
            transaction, unit = shown(proto, "mbtcp.trans_id"), shown(proto, "mbtcp.unit_id")
        elif proto.get("name") == "modbus":
            message += 1
            kind = "request" if to_server else "response"
            named = {
                "message": str(message), "transaction": transaction, "unit": unit,
                "function": shown(proto, "modbus.func_code"),
            }
            yield {
                **named, "kind": kind, "exception": shown(proto, "modbus.exception_code"),
                "reference": shown(proto, "modbus.reference_num"),
                "count": shown(proto, "modbus.word_cnt") or shown(proto, "modbus.bit_cnt"),
            }
            for place, value in (("modbus.regnum16", "modbus.regval_uint16"), ("modbus.bitnum", "modbus.bitval")):
                numbers = descendants(proto, place)
                values = descendants(proto, value)
                for number, field in zip(numbers, values):
                    yield {**named, "kind": "value", "place": number.get("show"), "value": field.get("show")}


ROWS = {"dnp3": dnp3_rows, "iec104": iec104_rows, "modbus": modbus_rows}


def packets(capture, protocol):
    """The packets that the dissector finds the protocol in, one after another."""
    words = ["tshark", "-n", "-r", str(capture), "-Y", FILTERS[protocol], "-T", "pdml"]
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as tshark:
        for _, element in ElementTree.iterparse(tshark.stdout):
            if element.tag == "packet":
                yield element
                element.clear()
        if tshark.wait() != 0:
            raise SystemExit(f"tshark cannot read {capture}")


def table(capture, protocol, source):
    """The whole table as text; it ends after a whole packet when it would become too large."""
    capture = pathlib.Path(capture)
    version = subprocess.run(["tshark", "--version"], check=True, capture_output=True, text=True).stdout
    columns = COLUMNS[protocol]
    lines, size, last, is_cut = [], 0, 0, False
    for packet in packets(capture, protocol):
        frame = shown(packet.find("proto[@name='geninfo']"), "num") or packet.find(".//field[@name='num']").get("show")
        protocols = {proto.get("name") for proto in packet.findall("proto")}
        rows = [{"kind": "malformed"}] if "_ws.malformed" in protocols else list(ROWS[protocol](packet))
        made = []
        for row in rows:
            row = {**row, "frame": frame, "protocol": protocol}
            made.append("\t".join(row.get(column, "") for column in columns) + "\n")
        size += sum(len(line) for line in made)
        if size > LARGEST:
            is_cut = True
            break
        lines += made
        last = int(frame)
    head = [
        f"# sha256 {hashlib.sha256(capture.read_bytes()).hexdigest()}\n",
        f"# tshark {re.search(r'[0-9]+[.][0-9]+[.][0-9]+', version).group()}\n",
        f"# source {source or 'fixtures/recorded/' + capture.parent.name}\n",
        f"# frames {'1 to ' + str(last) if is_cut else 'all'}\n",
        "\t".join(columns) + "\n",
    ]
    return "".join(head + lines)


def explained(path):
    """What people have written into a table: why the reference is wrong."""
    if not path.is_file():
        return []
    return [line for line in path.read_text().splitlines(keepends=True) if line.startswith("# explained ")]


def main():
    """One table to standard output, or all of them to this folder."""
    words = sys.argv[1:]
    if words[:1] != ["all"]:
        sys.stdout.write(table(words[0], words[1], words[2] if len(words) > 2 else None))
        return
    for name, (path, protocol, source) in TABLES.items():
        folders = [RECORDED] if source is None else [pathlib.Path(folder) / "captures" for folder in words[1:2]]
        for folder in folders:
            if (folder / path).is_file():
                target = HERE / f"{name}.tsv"
                reasons = explained(target)
                lines = table(folder / path, protocol, source).splitlines(keepends=True)
                target.write_text("".join(lines[:HEAD] + reasons + lines[HEAD:]))


if __name__ == "__main__":
    main()
