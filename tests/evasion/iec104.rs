//! IEC 60870-5-104: what is commanded and read, and the tricks of APDUs, ASDUs and the order of a session.

use crate::talk::{Deed, Talk, Tongue};
use crate::tricks::{Expect, Trick, Tricks};
use crate::{CLIENT, PLANTED, SERVER, START_NS};
use fixtures::wire::iec104::{self, ACTIVATION, ACTIVATION_CONFIRMATION, ACTIVATION_TERMINATION, Header, Sizes};

const STATION: u16 = 1;
/// What odd causes, bits and sizes show.
const ODD: &[&str] =
    &["protocol_malformed", "session_irregular", "operation_new", "write_unusual", "point_new", "controller_dangerous"];

/// The numbers of both ends, and the sizes of fields.
#[derive(Clone)]
pub struct Session {
    numbers: iec104::Session,
    sizes: Sizes,
}

impl Session {
    pub fn new() -> Self {
        Self { numbers: iec104::Session::new(), sizes: Sizes::NETWORK }
    }

    /// What the controlling station says next, of the standard's sizes.
    pub fn commands(&mut self, asdu: &[u8]) -> Vec<u8> {
        let asdu = resized(asdu, self.sizes);
        self.numbers.commands(&asdu)
    }

    pub fn reports(&mut self, asdu: &[u8]) -> Vec<u8> {
        let asdu = resized(asdu, self.sizes);
        self.numbers.reports(&asdu)
    }
}

/// An ASDU of one information object in other sizes.
fn resized(asdu: &[u8], sizes: Sizes) -> Vec<u8> {
    let (cause, station, object) = (&asdu[2..4], &asdu[4..6], &asdu[6..9]);
    [
        &asdu[..2],
        &cause[..sizes.cause],
        &station[..sizes.common_address],
        &object[..sizes.information_object_address],
        &asdu[9..],
    ]
    .concat()
}

pub fn start() -> Vec<u8> {
    iec104::unnumbered(iec104::STARTDT_ACT)
}

pub fn started() -> Vec<u8> {
    iec104::unnumbered(iec104::STARTDT_CON)
}

fn reading(address: u32) -> Deed {
    let told = Header::new(11, iec104::REQUEST, STATION);
    let response = iec104::asdu(told, &[(address, iec104::measured(230, 0))]);
    Deed::new("read", 102, vec![iec104::read(STATION, address)], vec![response])
}

/// A read that the baseline knows.
pub fn usual_read() -> Deed {
    reading(700)
}

/// Another usual request for each APDU, with its numbers; where none has its length, a shorter one.
pub fn decoy(octets: &[u8]) -> Vec<u8> {
    let decoys = apdus_of(octets).into_iter().flat_map(|apdu| {
        let asdu = match apdu.len() {
            15 => iec104::read(STATION, 701),
            16..22 => iec104::interrogation(ACTIVATION, STATION, 20),
            _ => iec104::clock_synchronization(ACTIVATION, STATION, START_NS / 1_000_000),
        };
        let control = [apdu[2], apdu[3], apdu[4], apdu[5]];
        let mut decoy = iec104::apdu(control, &asdu);
        decoy.resize(apdu.len(), 0);
        decoy
    });
    decoys.collect()
}

/// A request, its confirmation and its termination.
fn commanding(name: &'static str, header: Header, elements: Vec<u8>, address: u32) -> Deed {
    let asdu = |cause| iec104::asdu(header.because(cause), &[(address, elements.clone())]);
    let responses = vec![asdu(ACTIVATION_CONFIRMATION), asdu(ACTIVATION_TERMINATION)];
    Deed::new(name, header.type_identification.into(), vec![asdu(ACTIVATION)], responses)
}

/// What the baseline does not know: commands, set-points, parameters, and the station itself.
pub fn commands() -> Vec<Deed> {
    let planted = u32::from(PLANTED);
    let header = |type_identification| Header::new(type_identification, ACTIVATION, STATION);
    let at = iec104::time56(START_NS / 1_000_000 + 11_000);
    let timed = |elements: Vec<u8>| [elements, at.clone()].concat();
    let execute = commanding("select_execute", header(46), iec104::command(2, 0, false), planted);
    let select = iec104::asdu(header(46), &[(planted, iec104::command(2, 0, true))]);
    let selected = iec104::asdu(header(46).because(ACTIVATION_CONFIRMATION), &[(planted, iec104::command(2, 0, true))]);
    let selecting = Deed {
        requests: [vec![select], execute.requests.clone()].concat(),
        responses: [vec![selected], execute.responses.clone()].concat(),
        ..execute
    };
    let parameter = |cause| iec104::parameter_float(cause, STATION, (planted, 66.5), 1);
    vec![
        commanding("single_command", header(45), iec104::command(1, 0, false), planted),
        selecting,
        commanding("set_point_float", header(50), iec104::set_point_float(66.5, 0, false), planted),
        commanding("bitstring", header(51), 0x66_u32.to_le_bytes().to_vec(), planted),
        commanding("single_command_with_time", header(58), timed(iec104::command(1, 0, false)), planted),
        commanding("set_point_scaled_with_time", header(62), timed(iec104::set_point(666, 0, false)), planted),
        Deed::new("parameter", 112, vec![parameter(ACTIVATION)], vec![parameter(ACTIVATION_CONFIRMATION)]),
        Deed::new(
            "reset_process",
            105,
            vec![iec104::reset_process(ACTIVATION, STATION, 1)],
            vec![iec104::reset_process(ACTIVATION_CONFIRMATION, STATION, 1)],
        )
        .of_the_device(),
    ]
}

/// Ten seconds of usual work over one conversation.
pub fn usual_work(talk: &mut Talk) {
    let interrogation = |cause| iec104::interrogation(cause, STATION, 20);
    let clock = |cause| iec104::clock_synchronization(cause, STATION, START_NS / 1_000_000 + 1_000);
    let command = Header::new(45, ACTIVATION, STATION);
    for second in 1..=10_u64 {
        talk.now_ns = START_NS + second * 1_000_000_000;
        if second == 1 {
            talk.does(&Deed::new(
                "interrogation",
                100,
                vec![interrogation(ACTIVATION)],
                vec![interrogation(ACTIVATION_CONFIRMATION), interrogation(ACTIVATION_TERMINATION)],
            ));
            talk.does(&Deed::new("clock", 103, vec![clock(ACTIVATION)], vec![clock(ACTIVATION_CONFIRMATION)]));
        }
        talk.does(&usual_read());
        talk.does(&reading(701));
        if second % 5 == 0 {
            talk.does(&commanding("usual", command, iec104::command(1, 0, false), 40));
        }
    }
}

/// The APDUs of some octets.
fn apdus_of(octets: &[u8]) -> Vec<Vec<u8>> {
    let (mut apdus, mut rest) = (Vec::new(), octets);
    while let [_, length, ..] = rest {
        let (apdu, behind) = rest.split_at(2 + usize::from(*length));
        apdus.push(apdu.to_vec());
        rest = behind;
    }
    apdus
}

/// A trick on the APDU that commands: what is to be sent instead of it, each in a segment of its own.
fn framed(
    tricks: &mut Tricks,
    name: impl Into<String>,
    expect: Expect,
    make: impl Fn(&[u8]) -> Vec<Vec<u8>> + Sync + 'static,
) -> &mut Trick {
    tricks.add(name, expect, move |talk, deed| {
        let octets = talk.request(deed);
        let mut apdus = apdus_of(&octets);
        let last = apdus.pop().expect("a deed has a request");
        apdus.extend(make(&last));
        for apdu in apdus {
            talk.says(CLIENT, &apdu);
        }
    })
}

/// An APDU with the numbers of another.
fn like(apdu: &[u8], asdu: &[u8]) -> Vec<u8> {
    iec104::apdu([apdu[2], apdu[3], apdu[4], apdu[5]], asdu)
}

/// An APDU with an octet changed.
fn changed(apdu: &[u8], at: usize, change: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut apdu = apdu.to_vec();
    apdu[at] = change(apdu[at]);
    apdu
}

pub fn tricks(tricks: &mut Tricks) {
    framing(tricks);
    order(tricks);
    identifiers(tricks);
    objects(tricks);
    sizes(tricks);
}

fn framing(tricks: &mut Tricks) {
    // What stands between APDUs belongs to none.
    let between: [(&str, &[u8]); 8] = [
        ("a start octet", &[0x68]),
        ("a start octet and length 0", &[0x68, 0]),
        ("a start octet and length 3", &[0x68, 3, 0, 0, 0]),
        ("a start octet and length 254", &[0x68, 254]),
        ("five start octets", &[0x68; 5]),
        ("zeros", &[0; 7]),
        ("noise", &[0xff; 9]),
        ("a frame of FT1.2", &[0x68, 4, 4, 0x68, 0x53, 1, 1, 2, 0x57, 0x16]),
    ];
    for (what, octets) in between {
        for together in [true, false] {
            let trick = framed(tricks, format!("behind {what}, together {together}"), Expect::Told, move |apdu| {
                let both = [octets.to_vec(), apdu.to_vec()];
                if together { vec![both.concat()] } else { both.to_vec() }
            });
            // What looks like a start and a length is waited for, as stations do.
            trick.needs_answer().shows(ODD).shows(&["protocol_unexpected_port"]);
        }
    }
    // Stations that read a segment at a time do what it says, whatever the length is.
    for more in [-2_i16, -1, 1, 2, 16, 100, 200] {
        let trick = framed(tricks, format!("with a length of {more} more"), Expect::Told, move |apdu| {
            vec![changed(apdu, 1, |length| i16::from(length).saturating_add(more).clamp(0, 255) as u8)]
        });
        trick.needs_answer().shows(ODD).shows(&["protocol_unexpected_port"]);
    }
    for claimed in [20_u8, 60, 253] {
        let name = format!("within an APDU that claims {claimed} octets");
        let trick =
            framed(tricks, name, Expect::Told, move |apdu| vec![[&[0x68, claimed, 0, 0, 0, 0][..], apdu].concat()]);
        trick.needs_answer().shows(ODD).shows(&["protocol_unexpected_port"]);
    }
    // Reserved bits of the control field.
    for (at, bits) in [(4, 1), (4, 0), (2, 0)] {
        let trick = framed(tricks, format!("with octet {at} of the APCI and {bits}"), Expect::Told, move |apdu| {
            vec![changed(apdu, at, |octet| octet | bits)]
        });
        trick.shows(&["protocol_malformed"]);
    }
    for format in [1, 3] {
        let trick = framed(tricks, format!("as format {format}"), Expect::Told, move |apdu| {
            vec![changed(apdu, 2, |octet| octet & 0xfc | format)]
        });
        trick.shows(&["protocol_malformed", "session_irregular", "protocol_unexpected_port"]);
    }
}

fn order(tricks: &mut Tricks) {
    for (name, apdu) in [
        ("S format", iec104::supervisory(0)),
        ("TESTFR act", iec104::unnumbered(iec104::TESTFR_ACT)),
        ("TESTFR con", iec104::unnumbered(iec104::TESTFR_CON)),
        ("STARTDT act", iec104::unnumbered(iec104::STARTDT_ACT)),
        ("STARTDT con", iec104::unnumbered(iec104::STARTDT_CON)),
        ("STOPDT act", iec104::unnumbered(iec104::STOPDT_ACT)),
        ("STOPDT con", iec104::unnumbered(iec104::STOPDT_CON)),
        ("no function", iec104::unnumbered(0x03)),
        ("all functions", iec104::unnumbered(0xff)),
    ] {
        for times in [1, 20] {
            for together in [true, false] {
                let apdu = apdu.clone();
                let name = format!("behind {times} of {name}, together {together}");
                let trick = framed(tricks, name, Expect::Alerted, move |command| {
                    let mut all = vec![apdu.clone(); times];
                    all.push(command.to_vec());
                    if together { vec![all.concat()] } else { all }
                });
                // Confirmations are the controlled station's, and turn the conversation round until more is said.
                trick.shows(&["session_irregular", "protocol_malformed", "operation_new", "conversation_new"]);
                trick.shows(&["reporting_disabled"]);
            }
        }
    }
    let trick = tricks.add("without STARTDT", Expect::Alerted, |talk, deed| {
        talk.connects();
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    trick.opens_itself().shows(&["session_irregular"]);
    let trick = tricks.add("between STARTDT act and con", Expect::Alerted, |talk, deed| {
        talk.connects();
        let octets = [start(), talk.request(deed)].concat();
        talk.says(CLIENT, &octets);
        talk.says(SERVER, &started());
    });
    trick.opens_itself().shows(&["session_irregular"]);
    let trick = tricks.add("after STOPDT", Expect::Alerted, |talk, deed| {
        talk.says(CLIENT, &iec104::unnumbered(iec104::STOPDT_ACT));
        talk.says(SERVER, &iec104::unnumbered(iec104::STOPDT_CON));
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    trick.shows(&["session_irregular", "reporting_disabled"]);
    // Numbers that are not the next.
    for (what, at) in [("send", 2), ("receive", 4)] {
        for more in [1_u16, 2, 100, 0x3fff, 0x4000, 0x7fff] {
            let trick = framed(tricks, format!("with a {what} number of {more} more"), Expect::Alerted, move |apdu| {
                let mut apdu = apdu.to_vec();
                let number = u16::from_le_bytes([apdu[at], apdu[at + 1]]).wrapping_add(more << 1);
                apdu[at..at + 2].copy_from_slice(&number.to_le_bytes());
                vec![apdu]
            });
            trick.shows(&["session_irregular"]);
        }
    }
    // The same number twice: a station that follows the standard closes the connection at the second.
    for command_first in [true, false] {
        let trick =
            framed(tricks, format!("with the number of a read, first {command_first}"), Expect::Alerted, move |apdu| {
                let read = like(apdu, &iec104::read(STATION, 701));
                if command_first { vec![apdu.to_vec(), read] } else { vec![read, apdu.to_vec()] }
            });
        trick.shows(&["session_irregular"]);
    }
    // Among what the outstation reports by itself.
    tricks.add("among reports", Expect::Alerted, |talk, deed| {
        for value in 0..5 {
            let Tongue::Iec104(session) = &mut talk.tongue else { panic!("it is IEC 104") };
            let told = Header::new(11, iec104::SPONTANEOUS, STATION);
            let report = session.reports(&iec104::asdu(told, &[(700, iec104::measured(value, 0))]));
            talk.says(SERVER, &report);
            if value == 2 {
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            }
        }
    });
}

fn identifiers(tricks: &mut Tricks) {
    for cause in 0..64_u8 {
        let trick = framed(tricks, format!("with cause {cause}"), Expect::Told, move |apdu| {
            vec![changed(apdu, 8, |octet| octet & 0xc0 | cause)]
        });
        trick.shows(ODD);
        // What mirrors a request is an answer to it by itself.
        if (44..=47).contains(&cause) {
            trick.needs_answer();
        }
    }
    for (name, bit) in [("the test bit", 0x80), ("the negative bit", 0x40), ("both bits", 0xc0)] {
        let trick = framed(tricks, format!("with {name}"), Expect::Told, move |apdu| {
            vec![changed(apdu, 8, |octet| octet | bit)]
        });
        trick.shows(ODD);
    }
    for originator in [1, 2, 127, 255] {
        let trick = framed(tricks, format!("from originator {originator}"), Expect::Alerted, move |apdu| {
            vec![changed(apdu, 9, |_| originator)]
        });
        // An originator that nobody knows.
        trick.shows(&["operation_new"]);
    }
    for station in [0_u16, 2, 0x100, 0xff, 0xffff] {
        let expect = if station == 0 { Expect::Told } else { Expect::Alerted };
        let trick = framed(tricks, format!("to station {station}"), expect, move |apdu| {
            let mut apdu = apdu.to_vec();
            apdu[10..12].copy_from_slice(&station.to_le_bytes());
            vec![apdu]
        });
        trick.shows(ODD);
    }
    // Types that are a maker's own, reserved, or of authentication, before the command.
    for type_identification in [0, 22, 41, 65, 71, 81, 90, 99, 114, 127, 128, 136, 200, 255] {
        for times in [1, 10] {
            let name = format!("behind {times} of type {type_identification}");
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                for _ in 0..times {
                    let header = Header::new(type_identification, ACTIVATION, STATION);
                    let odd = iec104::asdu(header, &[(1, vec![1, 2, 3, 4])]);
                    let octets = talk.request(&Deed::new("odd", 0, vec![odd], Vec::new()));
                    talk.says(CLIENT, &octets);
                }
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            });
            trick.shows(ODD);
        }
    }
}

fn objects(tricks: &mut Tricks) {
    // The variable structure qualifier: a sequence of one, none, and more than there are.
    for structure in [0x81, 0x00, 0x80, 0x02, 0x03, 0x7f, 0xff] {
        let trick = framed(tricks, format!("with structure {structure:02x}"), Expect::Told, move |apdu| {
            vec![changed(apdu, 7, |_| structure)]
        });
        trick.shows(ODD);
    }
    for usual in [1_usize, 3, 10] {
        let trick = framed(tricks, format!("behind {usual} usual objects"), Expect::Told, move |apdu| {
            // The object's elements with another address before it.
            let object = apdu[15..].to_vec();
            if 12 + (usual + 1) * (3 + object.len()) > 240 {
                return vec![apdu.to_vec()];
            }
            let known = [&[40, 0, 0][..], &object].concat().repeat(usual);
            let asdu = [&apdu[6..12], &known, &apdu[12..]].concat();
            vec![changed(&like(apdu, &asdu), 7, |_| usual as u8 + 1)]
        });
        trick.shows(ODD);
    }
    for more in [1_usize, 3, 20] {
        let trick = framed(tricks, format!("before {more} octets more"), Expect::Told, move |apdu| {
            vec![like(apdu, &[&apdu[6..], &vec![0; more]].concat())]
        });
        trick.shows(ODD);
    }
    for less in [1_usize, 2] {
        let trick = framed(tricks, format!("without its last {less} octets"), Expect::Told, move |apdu| {
            vec![like(apdu, &apdu[6..apdu.len() - less])]
        });
        trick.shows(ODD);
    }
}

fn sizes(tricks: &mut Tricks) {
    for cause in 1..=2 {
        for common_address in 1..=2 {
            for information_object_address in 1..=3 {
                let sizes = Sizes { cause, common_address, information_object_address };
                if sizes == Sizes::NETWORK {
                    continue;
                }
                let fields = format!("{cause}, {common_address} and {information_object_address} octets");
                // One command alone, in a conversation of the standard's sizes: no station reads it so.
                let trick = framed(tricks, format!("once in fields of {fields}"), Expect::Told, move |apdu| {
                    vec![like(apdu, &resized(&apdu[6..], sizes))]
                });
                trick.shows(ODD);
                for polls in [0, 2] {
                    let name = format!("in fields of {fields}, after {polls} polls");
                    let trick = tricks.add(name, Expect::Told, move |talk, deed| {
                        talk.opens();
                        let Tongue::Iec104(session) = &mut talk.tongue else { panic!("it is IEC 104") };
                        session.sizes = sizes;
                        talk.polls(polls);
                        let octets = talk.request(deed);
                        talk.says(CLIENT, &octets);
                    });
                    trick.opens_itself().shows(ODD);
                }
            }
        }
    }
}
