#!/usr/bin/env bash
# Holds the program against a corpus of captures: corpus.sh CORPUS_DIR [BIN]
#
# - every capture of CORPUS_DIR/captures gives the same bytes on 1, 2, 3 and 8 threads
# - so do many captures read as one timeline
# - a forged command between two RTUs is found after learning from what was before it, and nothing worse is said of the rest
# - a recorded plant, learnt from its first half, is silent in its second
# - the figures of a reference dissector that tests/values has of captures of CORPUS_DIR are ours
#
# The last line is "N passed, M failed"; the exit status is 0 only where nothing failed.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: scripts/corpus.sh CORPUS_DIR [BIN]" >&2
    exit 2
fi
if [ ! -f "$1/index.tsv" ]; then
    echo "corpus: $1/index.tsv is not there: name the folder of the corpus" >&2
    exit 2
fi
binary=${2:-target/release/yagura}
if [ ! -x "$binary" ]; then
    cargo build --release --locked -p yagura
    binary=target/release/yagura
fi

exec python3 - "$1" "$binary" <<'PYTHON'
import concurrent.futures, csv, hashlib, json, os, pathlib, re, subprocess, sys, tempfile

CORPUS, BINARY = pathlib.Path(sys.argv[1]).resolve(), str(pathlib.Path(sys.argv[2]).resolve())
THREADS = (1, 2, 3, 8)
# Captures of at most this size are interleaved, so that the run stays short: most of the corpus by number.
INTERLEAVED_OCTETS_MAX = 64 << 20
SECONDS = 600
FORGED = "captures/antoine-lemay__Modbus_dataset/send_a_fake_command_modbus_6RTU_with_operate.pcap"
PLANT = pathlib.Path("fixtures/recorded/pymodbus-plant/capture.pcap").resolve()
ROOT = pathlib.Path.cwd()

passed, failed = 0, 0


def judge(what, fine, why=""):
    global passed, failed
    if fine:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {why}", flush=True)


def run(*arguments):
    """Exit status, standard output, standard error."""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, timeout=SECONDS, cwd=CORPUS)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def digest(arguments):
    """Exit status and digest of the output, which is not kept: it may be large."""
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([BINARY, *map(str, arguments)], stdout=subprocess.PIPE, stderr=said, cwd=CORPUS)
        sha256 = hashlib.sha256()
        while block := child.stdout.read(1 << 20):
            sha256.update(block)
        status = child.wait(timeout=SECONDS)
        said.seek(0)
        text = said.read().decode(errors="replace")
    return status, sha256.hexdigest(), text


def same_on_all_threads(captures):
    """None where all is well, or what is not."""
    runs = {threads: digest(["replay", *captures, "--lang", "both", "--assets", "--threads", threads]) for threads in THREADS}
    for threads, (status, _, text) in runs.items():
        if status not in (0, 1) or "panicked" in text:
            return f"ends with {status} on {threads} threads: {text.splitlines()[-1:]}"
    if len({run[:2] for run in runs.values()}) > 1:
        return "differs: " + ", ".join(f"{threads} threads {run[1][:12]}" for threads, run in runs.items())
    return None


def alerts(*arguments):
    status, output, text = run("replay", *arguments)
    if status != 0:
        raise RuntimeError(f"replay {arguments} ends with {status}: {text}")
    return [record for record in map(json.loads, output.splitlines()) if record["type"] == "alert"]


def frames(alert):
    return {evidence["frame"] for evidence in alert["evidence"]}


def learn(capture, count, out):
    status, _, text = run("learn", capture, "--frames", count, "--out", out)
    if status != 0:
        raise RuntimeError(f"learn {capture} ends with {status}: {text}")


def the_forged_command(folder):
    baseline = folder / "forged.toml"
    learn(FORGED, 4700, baseline)
    found = alerts(FORGED, "--baseline", baseline)
    grave = [alert for alert in found if alert["severity"] in ("high", "critical")]
    writes = [alert for alert in grave if alert["detection"]["name"] == "write_unusual" and 4785 in frames(alert)]
    judge("the forged write of frame 4785 is alerted at high", any(alert["severity"] == "high" for alert in writes),
          [(alert["id"], alert["severity"]) for alert in found])
    said = writes[0]["summary"] if writes else ""
    first = writes[0]["evidence"][0] if writes else {}
    target = first.get("target") or {}
    points = [(point["space"], point["address"], point["value"]) for point in first.get("points") or []]
    for name, fine in [("the RTU that writes", "192.168.1.101" in said), ("the RTU that is written", "192.168.1.102" in said),
                       ("the unit", f"unit {first.get('unit')}" in said and first.get("unit") is not None),
                       ("the coil", target.get("space") == "coil" and f"coil {target.get('first')}" in said),
                       ("the value", len(points) == 1 and points[0][0] == "coil" and isinstance(points[0][2], bool)
                        and re.search(r"[:=] ?" + ("(1|on|true)" if points[0][2] else "(0|off|false)") + r"\b", said))]:
        judge(f"the forged write's alert names {name}", fine, said)
    stray = [(alert["id"], sorted(frames(alert))) for alert in grave if not frames(alert) <= set(range(4782, 4792))]
    judge("every grave alert concerns frames 4782 to 4791", not stray, stray)
    baseline = folder / "half.toml"
    learn(FORGED, 2350, baseline)
    grave = [(alert["id"], alert["summary"]) for alert in alerts(FORGED, "--baseline", baseline, "--frames", 4700)
             if alert["severity"] in ("high", "critical")]
    judge("what is before it, learnt from its first half, raises nothing grave", not grave, grave)


def the_plant(folder):
    baseline = folder / "plant.toml"
    count = json.loads(run("stats", PLANT, "--json")[1])["frames"]
    learn(PLANT, count // 2, baseline)
    found = [(alert["id"], alert["summary"]) for alert in alerts(PLANT, "--baseline", baseline)]
    judge("the plant, learnt from its first half, is silent in its second", not found, found)


def the_values():
    """The test of the figures, which finds its captures in the corpus by their digests."""
    words = [os.environ.get("CARGO", "cargo"), "test", "--locked", "-p", "tests", "--test", "values"]
    words += ["captures_of_the_corpus_read_as_the_reference_reads_them", "--", "--exact", "--nocapture"]
    environment = {**os.environ, "YAGURA_CORPUS": str(CORPUS / "captures")}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment)
    compared = re.findall(r"[\w-]+: \d+ figures of \d+ messages.*", done.stdout)
    print("\n".join(compared), flush=True)
    judge("the figures of the reference dissector", done.returncode == 0 and compared, done.stdout[-4000:] + done.stderr[-4000:])


def main():
    with open(CORPUS / "index.tsv", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    captures = [row["capture"] for row in rows]
    missing = [capture for capture in captures if not (CORPUS / capture).is_file()]
    judge("every capture of the index is there", not missing, missing[:3])
    captures = [capture for capture in captures if capture not in missing]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as hands:
        for capture, wrong in zip(captures, hands.map(lambda capture: same_on_all_threads([capture]), captures)):
            judge(capture, wrong is None, wrong)
    print(f"{len(captures)} captures on {', '.join(map(str, THREADS))} threads", flush=True)

    together = [capture for capture in captures if (CORPUS / capture).stat().st_size <= INTERLEAVED_OCTETS_MAX]
    # One that cannot be opened at all ends the run of all, as it should: it is left out here.
    together = [capture for capture in together if run("stats", capture, "--json", "--frames", 1)[0] == 0]
    octets = sum((CORPUS / capture).stat().st_size for capture in together)
    wrong = same_on_all_threads(together)
    judge("captures read as one timeline", wrong is None, wrong)
    print(f"one timeline of the {len(together)} captures of at most {INTERLEAVED_OCTETS_MAX} octets ({octets} in all); "
          f"{len(captures) - len(together)} are larger or cannot be opened", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for part in (the_forged_command, the_plant):
            try:
                part(pathlib.Path(folder))
            except (RuntimeError, KeyError, ValueError) as error:
                judge(part.__name__, False, repr(error))
    the_values()
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


sys.exit(main())
PYTHON
