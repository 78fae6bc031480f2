//! Every alert that is known to be wanted of a monitor like this one, and what has become of it here.

/// What has become of a wanted alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// These detections tell it; what of it they do not tell is said beside them.
    Built(&'static [&'static str], &'static str),
    /// To come: what is missing.
    ToCome(&'static str),
    /// It cannot be seen by one who only listens: why.
    Unseen(&'static str),
}

/// A wanted alert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Its number in the working index: a letter for the chapter, two digits.
    pub(crate) row: &'static str,
    /// What is to be told.
    pub(crate) alert: &'static str,
    /// What has become of it.
    pub(crate) state: State,
}

/// The chapters of the index, by letter.
pub(crate) const CHAPTERS: &[(char, &str)] = &[
    ('A', "Devices and their identity"),
    ('B', "Flows and topology"),
    ('C', "Searching and misuse"),
    ('D', "Commands to process and controller"),
    ('E', "Broken protocols and complaints of devices"),
    ('F', "Known evil, and the office's protocols"),
    ('G', "The sensor itself"),
];

const OTHERS: State = State::ToCome("none of the protocols that have it is read yet");
const OFFICE: State = State::ToCome("needs readers of office protocols");
const RATES: State = State::ToCome("rates and periods are not part of the baseline yet");
const LIVE: State = State::ToCome("belongs to the running sensor, which reports it as health, not as an alert");

const fn built(detections: &'static [&'static str]) -> State {
    State::Built(detections, "")
}

const fn row(row: &'static str, alert: &'static str, state: State) -> Wanted {
    Wanted { row, alert, state }
}

/// Every row of the index.
pub(crate) const WANTED: &[Wanted] = &[
    row("A01", "a device that was never heard", built(&["asset_new"])),
    row(
        "A02",
        "a new field device below IP",
        State::Built(&["asset_new"], "by LLDP only; other protocols below IP are not read"),
    ),
    row(
        "A03",
        "a vendor that is new to the plant",
        State::ToCome("the vendor is shown with each new device, but not judged"),
    ),
    row("A04", "a known device at another IP address", State::ToCome("needs a memory of addresses by MAC address")),
    row("A05", "a known address at another MAC address", built(&["asset_address_conflict"])),
    row("A06", "one address, two devices", built(&["asset_address_conflict"])),
    row("A07", "a retired device is back", State::Built(&["asset_new"], "as blocked or expired")),
    row(
        "A08",
        "model, name or serial number differ from the record",
        State::ToCome("claims are collected and not yet compared"),
    ),
    row("A09", "another firmware version", State::ToCome("claims are collected and not yet compared")),
    row("A10", "configuration differs from the project's file", State::ToCome("project files are not read")),
    row(
        "A11",
        "a server begins to ask, an operator station to program",
        State::Built(&["conversation_new", "controller_dangerous"], "by what it does, not by its role"),
    ),
    row("A12", "a device no longer answers", built(&["device_lost"])),
    row("A13", "a device gets no address", State::ToCome("DHCP is read for names only")),
    row("A14", "an unknown device asks for an address", built(&["asset_new"])),
    row(
        "A15",
        "a server of addresses, names or time that is not meant",
        State::ToCome("told as a new conversation at best"),
    ),
    row("A16", "an impossible source address", State::ToCome("is counted as an anomaly of the packet")),
    row(
        "A17",
        "too many MAC addresses behind one switch port",
        State::Unseen("only the switch knows its ports, and it would have to be asked"),
    ),
    row("B01", "two that never spoke with each other", built(&["conversation_new"])),
    row("B02", "a new port or protocol between two that know each other", built(&["conversation_new"])),
    row("B03", "traffic between zones that no conduit allows", built(&["conduit_breach"])),
    row(
        "B04",
        "a device of the plant talks to the internet",
        State::Built(&["conduit_breach", "conversation_new"], "where zones or a baseline are given"),
    ),
    row(
        "B05",
        "the internet talks to a device of the plant",
        State::Built(&["conduit_breach", "conversation_new"], "where zones or a baseline are given"),
    ),
    row(
        "B06",
        "a protocol for remote access appears",
        State::Built(&["conversation_new"], "by its port; such protocols are not named yet"),
    ),
    row("B07", "multicast or broadcast that is not meant", State::ToCome("groups are not part of the baseline yet")),
    row("B08", "a protocol at the wrong port, a stranger at the right one", built(&["protocol_unexpected_port"])),
    row("B09", "TCP port 0", State::ToCome("seen as any other port")),
    row("B10", "far more or less traffic than ever", RATES),
    row("B11", "another polling period", RATES),
    row("B12", "a channel falls silent", RATES),
    row("B13", "a lasting connection is built anew, or reset by the server", RATES),
    row("B14", "attempts without an answer, again and again", built(&["scan_sweep", "connection_flood"])),
    row("B15", "a second master", built(&["conversation_new", "write_unusual"])),
    row("B16", "a backup that did not take place", RATES),
    row("B17", "an unexpected router or IPv6 gateway", State::ToCome("router advertisements are not read")),
    row("C01", "many addresses", State::Built(&["scan_sweep"], "by TCP and ARP")),
    row("C02", "many ports", State::Built(&["scan_sweep"], "by TCP")),
    row("C03", "many questions by ARP", built(&["scan_sweep"])),
    row("C04", "one industrial port at many devices", built(&["scan_sweep"])),
    row("C05", "many function codes", built(&["scan_sweep"])),
    row("C06", "many registers or points", built(&["scan_sweep"])),
    row("C07", "many information object addresses", State::Built(&["scan_sweep"], "that are refused or new")),
    row("C08", "many unit identifiers, link addresses or common addresses", built(&["scan_sweep"])),
    row(
        "C09",
        "an integrity poll that was never asked",
        State::Built(&["operation_new", "interrogation_repeated"], "against a baseline, or by number"),
    ),
    row("C10", "interrogations again and again", built(&["interrogation_repeated"])),
    row("C11", "a stranger asks what a device is", built(&["operation_new", "conversation_new"])),
    row("C12", "names of objects and variables are listed", OTHERS),
    row("C13", "passwords are tried out", OFFICE),
    row("C14", "a sign-in failed", OFFICE),
    row("C15", "a standard password, or one in the clear", OFFICE),
    row("C16", "ARP answers that nobody asked for", built(&["arp_spoofing", "asset_address_conflict"])),
    row(
        "C17",
        "a flood of connection attempts",
        State::Built(
            &["connection_flood", "scan_sweep", "capture_limit"],
            "by rate, by the number of places, or once a bound is reached",
        ),
    ),
    row("C18", "a flood of ICMP", built(&["icmp_flood"])),
    row("C19", "a flood of requests", built(&["request_flood"])),
    row("C20", "overlapping data that differ", built(&["stream_conflict", "fragment_conflict"])),
    row("C21", "too many sessions", built(&["connection_flood"])),
    row("C22", "data hidden in name queries", OFFICE),
    row("D01", "a function code that is not usual", built(&["operation_new", "write_unusual"])),
    row(
        "D02",
        "a type of ASDU that is not usual",
        State::Built(
            &["operation_new", "write_unusual", "point_new"],
            "of commands by type, of what is reported by points, whichever type tells them",
        ),
    ),
    row("D03", "an address or block that is not usual", built(&["operation_new", "write_unusual", "point_new"])),
    row("D04", "a write by one who only read", built(&["write_unusual"])),
    row("D05", "a value out of its range", built(&["value_out_of_range"])),
    row(
        "D06",
        "a value that a switch or state never had",
        State::Built(&["value_out_of_range"], "beyond the greatest and below the least; gaps between to come"),
    ),
    row("D07", "a point that was never used", built(&["operation_new", "write_unusual", "point_new"])),
    row("D08", "function codes in another order", State::ToCome("order is not part of the baseline")),
    row("D09", "command upon command with nothing read between", State::ToCome("order is not part of the baseline")),
    row("D10", "operate without select", built(&["command_sequence"])),
    row(
        "D11",
        "a program goes to the controller",
        State::Built(&["controller_dangerous"], "by UMAS and Modbus file records"),
    ),
    row("D12", "a program comes from the controller", State::Built(&["controller_dangerous"], "by UMAS")),
    row(
        "D13",
        "a program is changed while it runs",
        State::Built(&["controller_dangerous"], "as a transfer by a vendor's code, not told apart"),
    ),
    row("D14", "a stranger reads the configuration", built(&["operation_new", "conversation_new"])),
    row(
        "D15",
        "a configuration goes to the controller",
        State::Built(&["controller_dangerous"], "as a transfer by a vendor's code, not told apart"),
    ),
    row(
        "D16",
        "start, stop, reset, another mode",
        State::Built(&["controller_dangerous"], "by Modbus diagnostics, UMAS, DNP3 and IEC 60870-5-104"),
    ),
    row("D17", "a variable is forced", OTHERS),
    row(
        "D18",
        "new firmware is sent",
        State::Built(&["controller_dangerous"], "as a transfer by a vendor's code, not told apart"),
    ),
    row("D19", "cold or warm restart", State::Built(&["controller_dangerous"], "of Modbus its communication")),
    row("D20", "an application is stopped or initialised", built(&["controller_dangerous"])),
    row("D21", "a device is told not to report by itself", built(&["reporting_disabled"])),
    row("D22", "a device is told to listen only", built(&["controller_dangerous"])),
    row("D23", "counters and diagnoses are wiped", built(&["operation_new"])),
    row("D24", "a stranger sets the time", built(&["clock_set"])),
    row(
        "D25",
        "a command to everybody",
        State::Built(
            &["write_unusual"],
            "where it is not usual; a global common address of one octet is not known as one",
        ),
    ),
    row("D26", "files are moved", built(&["controller_dangerous", "operation_new"])),
    row(
        "D27",
        "data transfer is stopped or started by a stranger",
        State::Built(&["reporting_disabled", "conversation_new"], "a start as the conversation that it begins"),
    ),
    row("D28", "a device gets another name or address, or its factory settings", OTHERS),
    row("D29", "alarms are set otherwise or held back", OTHERS),
    row("D30", "published datasets change their shape", OTHERS),
    row("D31", "a foreign device registers for broadcasts", OTHERS),
    row(
        "D32",
        "times in the data are far off",
        State::Built(&["clock_far"], "beside whole quarters of an hour, which are time zones"),
    ),
    row("D33", "values are marked bad for long", State::Built(&["quality_bad"], "where they were good before")),
    row("D34", "a point is no longer refreshed", State::Built(&["point_stale"], "where it was told at regular times")),
    row(
        "D35",
        "a statement of the operator no longer holds",
        State::ToCome("the site file states zones, conduits, devices and ranges; no free questions"),
    ),
    row("E01", "a broken message", built(&["protocol_malformed"])),
    row("E02", "many broken messages", built(&["protocol_malformed"])),
    row("E03", "a code that is reserved or unknown", built(&["protocol_malformed", "operation_new"])),
    row("E04", "a master that answers with an exception", built(&["protocol_malformed"])),
    row("E05", "many refusals", built(&["exception_burst"])),
    row("E06", "the device calls address, value or function illegal", built(&["exception_burst", "scan_sweep"])),
    row("E07", "fields of an ASDU that must not be so", built(&["protocol_malformed"])),
    row("E08", "sequence numbers, windows and timers of an APCI", built(&["session_irregular"])),
    row(
        "E09",
        "internal indications of trouble",
        State::Built(&["device_trouble", "exception_burst"], "refusals where there are many"),
    ),
    row("E10", "a storm of unsolicited responses", built(&["unsolicited_storm"])),
    row("E11", "too many points or fragments", built(&["protocol_malformed", "session_irregular"])),
    row("E12", "authentication failed", State::Built(&["session_irregular"], "where the outstation says so")),
    row(
        "E13",
        "an answer that nobody asked for",
        State::ToCome("is known and counted; no alert, as one-sided mirrors are full of them"),
    ),
    row("E14", "a service of another protocol failed", OTHERS),
    row("E15", "a device says that it is busy", State::Built(&["exception_burst"], "where it says so often")),
    row("E16", "a device reports a failure of its own", State::Built(&["exception_burst"], "where it says so often")),
    row("E17", "messages of OPC UA that are too large or out of order", OTHERS),
    row("E18", "connections of CIP that break the rules", OTHERS),
    row("E19", "odd headers at a controller's web page", OFFICE),
    row("E20", "an unexpected length", built(&["protocol_malformed"])),
    row("E21", "frames that are dropped, reserved addresses", built(&["session_irregular", "protocol_malformed"])),
    row("F01", "an address or name that is known to be evil", State::ToCome("lists of indicators are not read")),
    row("F02", "files and patterns of known malware", OFFICE),
    row("F03", "attacks on file sharing", OFFICE),
    row("F04", "programs are started from afar", OFFICE),
    row(
        "F05",
        "a program or service that must not run",
        State::Unseen("what runs inside a host does not show on the wire"),
    ),
    row("F06", "a tool of two uses is copied", OFFICE),
    row("F07", "a program is copied to a device", OFFICE),
    row("F08", "large amounts of data leave", RATES),
    row("F09", "coins are mined", OFFICE),
    row("F10", "weak encryption, certificates that ran out", OFFICE),
    row(
        "F11",
        "tunnels",
        State::ToCome("tunnels are opened and their inside is judged; the tunnel itself is not told"),
    ),
    row("F12", "a false radio cell", State::Unseen("the radio is not on the wire")),
    row("G01", "the mirror port is silent", built(&["capture_silent"])),
    row("G02", "traffic is back", built(&["capture_silent"])),
    row("G03", "frames are lost", built(&["capture_loss"])),
    row("G04", "the link is down, the machine is ill", built(&["capture_silent", "sensor_fault", "sensor_transmits"])),
    row("G05", "the mirror shows one side only", built(&["mirror_suspect"])),
    row(
        "G06",
        "copies, offloaded checksums, leaps of time",
        State::Built(&["clock_step"], "copies are counted in the summary"),
    ),
    row("G07", "a bound of the sensor is reached", built(&["capture_limit"])),
    row("G08", "alerts are lost", LIVE),
    row("G09", "somebody changed the policy", State::ToCome("each run names the digests of its files")),
    row("G10", "a test of the alarm chain", LIVE),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::CATALOG;

    #[test]
    fn every_row_is_there_once_and_in_order() {
        let expected: Vec<String> = [('A', 17), ('B', 17), ('C', 22), ('D', 35), ('E', 21), ('F', 12), ('G', 10)]
            .into_iter()
            .flat_map(|(letter, count)| (1..=count).map(move |number| format!("{letter}{number:02}")))
            .collect();
        let rows: Vec<&str> = WANTED.iter().map(|wanted| wanted.row).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn what_is_built_is_in_the_catalogue_and_every_detection_serves_a_row() {
        for registration in CATALOG {
            let name = registration.card.name;
            let serves = |wanted: &&Wanted| matches!(wanted.state, State::Built(names, _) if names.contains(&name));
            assert!(WANTED.iter().any(|wanted| serves(&wanted)), "{name}");
        }
        for wanted in WANTED {
            match wanted.state {
                State::Built(names, _) => {
                    assert!(!names.is_empty());
                    for name in names {
                        assert!(CATALOG.iter().any(|one| one.card.name == *name), "{}: {name}", wanted.row);
                    }
                }
                State::ToCome(reason) | State::Unseen(reason) => assert!(!reason.is_empty(), "{}", wanted.row),
            }
        }
    }

    #[test]
    fn every_chapter_has_a_title() {
        for wanted in WANTED {
            assert!(CHAPTERS.iter().any(|(letter, _)| wanted.row.starts_with(*letter)));
        }
    }
}
