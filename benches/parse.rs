//! What one PDU costs from framing to its operations, and to its points, beside a bare copy of its octets.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fixtures::wire::iec104::{self, Header, Station};
use fixtures::wire::{dnp3, modbus};
use std::hint::black_box;
use yagura_parsers::dissect::{Direction, Dissected, Dissector, feed};
use yagura_parsers::message::{Describe, Operation};
use yagura_parsers::protocols::dnp3::Dnp3Dissector;
use yagura_parsers::protocols::iec104::Iec104Dissector;
use yagura_parsers::protocols::modbus::ModbusDissector;

/// Exchanges of one talk; each talk has a dissector of its own, so that what it takes to begin counts as little.
const TURNS: u16 = 256;

/// PDUs in the order in which they are sent.
#[derive(Default)]
struct Talk {
    pdus: usize,
    /// What one side says before the other does.
    pieces: Vec<(Direction, Vec<u8>)>,
    /// Lengths of the PDUs.
    lengths: Vec<usize>,
}

impl Talk {
    fn says(&mut self, direction: Direction, pdu: &[u8]) {
        self.pdus += 1;
        self.lengths.push(pdu.len());
        match self.pieces.last_mut() {
            Some((last, octets)) if *last == direction => octets.extend(pdu),
            _ => self.pieces.push((direction, pdu.to_vec())),
        }
    }

    /// One side says all of them.
    fn monologue(direction: Direction, pdus: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut talk = Self::default();
        pdus.into_iter().for_each(|pdu| talk.says(direction, &pdu));
        talk
    }
}

/// What a talk tells in all. A bench that reads less than there is would be fast.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    messages: usize,
    operations: usize,
    points: usize,
}

/// Reads a talk and asks of each message what the sensor asks of each; values too, if `values`.
#[inline]
fn read<D: Dissector>(dissector: &mut D, talk: &Talk, asked: Option<Operation>, values: bool) -> Told {
    let mut told = Told::default();
    for (direction, octets) in &talk.pieces {
        let used = feed(dissector, *direction, 0, black_box(octets), |dissected| {
            let Dissected::Message { message, .. } = dissected else { panic!("{octets:02x?}") };
            told.messages += 1;
            let fault = message.fault();
            assert!(fault.is_none(), "{fault:?}");
            black_box((message.pairing(), message.refusal(), message.control(), message.reports()));
            message.notices(&mut |notice| panic!("{notice:?}"));
            message.tally(&mut |tally| {
                black_box(tally);
            });
            message.operations(&mut |operation| {
                black_box(operation);
                told.operations += 1;
            });
            if values {
                message.points(asked, &mut |point| {
                    black_box(point);
                    told.points += 1;
                });
            }
        });
        assert_eq!(used, octets.len());
    }
    told
}

/// The operation of a request, by which its response is read.
fn operation<D: Dissector>(mut dissector: D, request: &[u8]) -> Option<Operation> {
    let mut first = None;
    feed(&mut dissector, Direction::ToServer, 0, request, |dissected| {
        if let Dissected::Message { message, .. } = dissected {
            message.operations(&mut |operation| first = Some(operation));
        }
    });
    first
}

/// A group: the copy, the reading, and the reading with values where there are any. `told` is of the whole talk.
fn measure<D: Dissector>(
    criterion: &mut Criterion,
    name: &str,
    new: impl Fn() -> D,
    talk: &Talk,
    asked: Option<Operation>,
    told: (usize, usize),
) {
    let expected = Told { messages: talk.pdus, operations: told.0, points: told.1 };
    let without = Told { points: 0, ..expected };
    assert_eq!(read(&mut new(), talk, asked, true), expected, "{name}");
    let mut group = criterion.benchmark_group(format!("parse_{name}"));
    group.throughput(Throughput::Elements(talk.pdus as u64));
    let octets: Vec<u8> = talk.pieces.iter().flat_map(|(_, octets)| octets.iter().copied()).collect();
    let mut copy = vec![0; talk.lengths.iter().copied().max().unwrap_or(0)];
    group.bench_function("bare", |bencher| {
        bencher.iter(|| {
            let mut rest = black_box(octets.as_slice());
            for length in &talk.lengths {
                let (pdu, more) = rest.split_at(*length);
                black_box(&mut copy)[..*length].copy_from_slice(pdu);
                rest = more;
            }
        })
    });
    group.bench_function("read", |bencher| bencher.iter(|| assert_eq!(read(&mut new(), talk, asked, false), without)));
    if expected.points > 0 {
        group.bench_function("values", |bencher| {
            bencher.iter(|| assert_eq!(read(&mut new(), talk, asked, true), expected));
        });
    }
    group.finish();
}

fn modbus(criterion: &mut Criterion) {
    let values = [500; 125];
    let objects = [(0, "Vendor"), (1, "Product"), (2, "V1.0")];
    for (name, direction, pdu, asked, points) in [
        ("read_request", Direction::ToServer, modbus::read(3, 40, 10), None, 0),
        ("read_response_10", Direction::ToClient, modbus::registers(3, &values[..10]), Some(10), 10),
        ("read_response_125", Direction::ToClient, modbus::registers(3, &values), Some(125), 125),
        ("write_request_10", Direction::ToServer, modbus::write_multiple_registers(40, &values[..10]), None, 10),
        ("exception", Direction::ToClient, modbus::exception(3, modbus::ILLEGAL_DATA_ADDRESS), Some(10), 0),
        ("identification", Direction::ToClient, modbus::device_identification(1, 0x81, &objects), None, 0),
    ] {
        let request = |quantity| modbus::tcp(1, 1, &modbus::read(3, 40, quantity));
        let asked = asked.and_then(|quantity| operation(ModbusDissector::default(), &request(quantity)));
        let turns = usize::from(TURNS);
        for rtu in [false, true] {
            let new = || if rtu { ModbusDissector::rtu() } else { ModbusDissector::default() };
            let adu = |n| if rtu { modbus::rtu(1, &pdu) } else { modbus::tcp(n, 1, &pdu) };
            let name = format!("{}_{name}", if rtu { "rtu" } else { "tcp" });
            let talk = Talk::monologue(direction, (0..TURNS).map(adu));
            measure(criterion, &name, new, &talk, asked, (turns, turns * points));
        }
    }
}

/// Each turn's frames of DNP3, as one side says them.
fn dnp3_talk(direction: Direction, mut make: impl FnMut(&mut dnp3::Session) -> Vec<u8>) -> Talk {
    let mut session = dnp3::Session::new(1, 10);
    let mut talk = Talk::default();
    for _ in 0..TURNS {
        let octets = make(&mut session);
        let mut rest = octets.as_slice();
        while let Some(length) = rest.get(2) {
            // The length octet counts control, addresses and user data; each block of these has its CRC.
            let user_data = usize::from(*length) - 5;
            let (frame, more) = rest.split_at(10 + user_data + user_data.div_ceil(16) * 2);
            talk.says(direction, frame);
            rest = more;
        }
    }
    talk
}

fn dnp3(criterion: &mut Criterion) {
    const AT_MS: u64 = 1_767_607_200_000;
    let flagged = |count: i32| -> Vec<u8> {
        (0..count).flat_map(|value| dnp3::flagged(dnp3::ONLINE, &value.to_le_bytes())).collect()
    };
    // 96 single bits, 32 binary inputs with flags, 10 counters and 19 analogue inputs.
    let class_0 = vec![
        dnp3::range8(1, 1, 0, 95, &dnp3::bits(&[true; 96])),
        dnp3::range8(1, 2, 100, 131, &[0x81; 32]),
        dnp3::range8(20, 1, 0, 9, &flagged(10)),
        dnp3::range8(30, 1, 0, 18, &flagged(19)),
    ];
    let events: Vec<(u32, Vec<u8>)> =
        (0..20).map(|index| (index, dnp3::timed(&dnp3::binary(true, dnp3::ONLINE), AT_MS))).collect();
    let events = vec![dnp3::indexed8(2, 2, &events)];
    // A fragment of eight frames.
    let long = vec![dnp3::range16(30, 1, 0, 379, &flagged(380))];
    let block = [dnp3::ControlRelayOutputBlock::new(3).at(3)];
    let turns = usize::from(TURNS);
    let answer =
        |objects: &[Vec<u8>]| dnp3_talk(Direction::ToClient, |session| session.response(dnp3::NO_INDICATION, objects));
    let request =
        |function, objects: &[Vec<u8>]| dnp3_talk(Direction::ToServer, |session| session.request(function, objects));
    // The master's address is an operation of each of its requests.
    for (name, talk, operations, points) in [
        ("dnp3_read_classes", request(dnp3::function::READ, &dnp3::classes(&[1, 2, 3, 0])), 5, 0),
        ("dnp3_direct_operate", request(dnp3::function::DIRECT_OPERATE, &block), 2, 1),
        ("dnp3_class_0_157_points", answer(&class_0), 4, 157),
        ("dnp3_events_20", answer(&events), 1, 20),
        ("dnp3_8_frames_380_points", answer(&long), 1, 380),
        ("dnp3_link_status", dnp3_talk(Direction::ToServer, |s| s.master_link(dnp3::MASTER_REQUEST_STATUS)), 0, 0),
    ] {
        measure(criterion, name, Dnp3Dissector::default, &talk, None, (turns * operations, turns * points));
    }
}

/// So many turns of one side in I format, of which the other acknowledges every eighth as a station must.
fn iec104_talk(station: Station, asdu: &[u8]) -> Talk {
    let direction = |station| match station {
        Station::Controlling => Direction::ToServer,
        Station::Controlled => Direction::ToClient,
    };
    let other = if station == Station::Controlling { Station::Controlled } else { Station::Controlling };
    let mut session = iec104::Session::new();
    let mut talk = Talk::default();
    for turn in 1..=TURNS {
        talk.says(direction(station), &session.says(station, asdu));
        if turn % 8 == 0 {
            talk.says(direction(other), &session.acknowledges(other));
        }
    }
    talk
}

fn iec104(criterion: &mut Criterion) {
    let header = |kind, cause| Header::new(kind, cause, 1);
    let reports = |asdu: &[u8]| iec104_talk(Station::Controlled, asdu);
    let single = iec104::asdu(header(1, iec104::SPONTANEOUS), &[(100, iec104::single_point(true, 0))]);
    let floats: Vec<(u32, Vec<u8>)> = (0..29).map(|at| (700 + at, iec104::short_float(1.5, 0))).collect();
    let floats = iec104::asdu(header(13, iec104::PERIODIC), &floats);
    let scaled: Vec<(u32, Vec<u8>)> = (0..40).map(|at| (700 + at, iec104::measured(15, 0))).collect();
    let scaled = iec104::asdu(header(11, iec104::PERIODIC), &scaled);
    let sequence = iec104::asdu_sequence(header(1, 20), 100, &vec![iec104::single_point(true, 0); 127]);
    let time = iec104::time56(1_767_607_200_000);
    let timed: Vec<(u32, Vec<u8>)> =
        (0..15).map(|at| (700 + at, [iec104::short_float(1.5, 0), time.clone()].concat())).collect();
    let timed = iec104::asdu(header(36, iec104::SPONTANEOUS), &timed);
    let command = iec104::asdu(header(45, iec104::ACTIVATION), &[(6000, iec104::command(1, 0, false))]);
    let supervisory = |_| iec104::supervisory(0);
    // Each test is confirmed; it alone is an operation.
    let mut tests = Talk::default();
    for _ in 0..TURNS / 2 {
        tests.says(Direction::ToServer, &iec104::unnumbered(iec104::TESTFR_ACT));
        tests.says(Direction::ToClient, &iec104::unnumbered(iec104::TESTFR_CON));
    }
    let turns = usize::from(TURNS);
    for (name, talk, operations, points) in [
        ("iec104_single_point", reports(&single), turns, turns),
        ("iec104_40_scaled", reports(&scaled), turns, turns * 40),
        ("iec104_29_floats", reports(&floats), turns, turns * 29),
        ("iec104_15_floats_with_time", reports(&timed), turns, turns * 15),
        ("iec104_sequence_of_127", reports(&sequence), turns, turns * 127),
        ("iec104_command", iec104_talk(Station::Controlling, &command), turns * 2, turns),
        ("iec104_s_format", Talk::monologue(Direction::ToServer, (0..TURNS).map(supervisory)), 0, 0),
        ("iec104_u_format", tests, turns / 2, 0),
    ] {
        measure(criterion, name, Iec104Dissector::default, &talk, None, (operations, points));
    }
}

criterion_group! { name = benches; config = benches::stopwatch(); targets = modbus, dnp3, iec104 }
criterion_main!(benches);
