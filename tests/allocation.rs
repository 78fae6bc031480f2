//! The promise: usual traffic takes nothing from the allocator once the sensor has seen it for a while.
#![allow(unsafe_code, reason = "the counting allocator hands on to the system's")]

use fixtures::story::{Capture, Conversation, Host, Story};
use fixtures::wire::iec104::{self, Header, Station};
use fixtures::wire::{dnp3, modbus};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tests::{head, learn, policy};
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::frame::FrameBatch;
use yagura_rules::alert::Alert;

/// The system's allocator, with a count of how often each thread asks it for memory.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // While a thread ends, its counter may be gone: then nobody asks for it any more.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: every call is handed on to the system's allocator, with the caller's own promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, new_size) }
    }
}

const CENTRE: Host = Host::new("centre", [2, 0, 0, 0, 0, 1], [10, 20, 0, 1]);
const STATION: Host = Host::new("station", [2, 0, 0, 0, 1, 1], [10, 20, 1, 1]);

/// Exchanges before the counting begins.
const BEFORE: u32 = 2_000;
/// Exchanges that are counted.
const COUNTED: u32 = 10_000;
/// Exchanges of the capture from which the baseline is learnt: all kinds and all points occur in them.
const LEARNT: u32 = 200;
/// Frames of a batch, as the program has them.
const BATCH: usize = 512;

/// A talk of the centre and the station: so many exchanges, twenty a second.
fn talk(port: u16, exchanges: u32, mut exchange: impl FnMut(&mut Story, Conversation, u32)) -> Capture {
    let mut story = Story::new();
    let line = story.tcp(CENTRE, STATION.port(port));
    for number in 0..exchanges {
        story.until_ms(u64::from(number) * 50);
        exchange(&mut story, line, number);
    }
    story.end()
}

fn modbus_polls(exchanges: u32) -> Capture {
    talk(502, exchanges, |story, line, number| {
        let values: Vec<u16> = (0..100).map(|place| place + (number % 7) as u16).collect();
        let quantity = [10, 50, 100][number as usize % 3];
        let response = modbus::registers(3, &values[..usize::from(quantity)]);
        if number % 10 == 9 {
            let written = modbus::write_single_register(40, 17);
            story.modbus(line, 1, &written, &written);
        } else {
            story.modbus(line, 1, &modbus::read(3, 0, quantity), &response);
        }
    })
}

fn dnp3_polls(exchanges: u32) -> Capture {
    let mut session = dnp3::Session::new(1, 10);
    talk(20_000, exchanges, |story, line, number| {
        let swing = number % 7;
        let values = |count: u32| -> Vec<u8> {
            (0..count).flat_map(|at| dnp3::flagged(dnp3::ONLINE, &(at + swing).to_le_bytes())).collect()
        };
        let event = |at: u32| {
            (at, dnp3::timed(&dnp3::binary((at + number).is_multiple_of(2), dnp3::ONLINE), 1_767_607_200_000))
        };
        let ask = |session: &mut dnp3::Session, story: &mut Story, objects: &[Vec<u8>]| {
            let request = session.request(dnp3::function::READ, objects);
            story.says(line, &request);
        };
        match number % 4 {
            // Everything there is, in several frames: now and then, and the judge is told each time.
            0 if number.is_multiple_of(400) => {
                ask(&mut session, story, &dnp3::classes(&[1, 2, 3, 0]));
                let objects = [dnp3::range8(1, 2, 0, 15, &[0x81; 16]), dnp3::range8(30, 1, 0, 99, &values(100))];
                story.answers(line, &session.response(dnp3::NO_INDICATION, &objects));
            }
            0 => {
                ask(&mut session, story, &[dnp3::range8(30, 1, 0, 99, &[])]);
                let objects = [dnp3::range8(30, 1, 0, 99, &values(100))];
                story.answers(line, &session.response(dnp3::NO_INDICATION, &objects));
            }
            1 => {
                ask(&mut session, story, &[dnp3::range8(30, 1, 0, 29, &[])]);
                let objects = [dnp3::range8(30, 1, 0, 29, &values(30))];
                story.answers(line, &session.response(dnp3::NO_INDICATION, &objects));
            }
            _ => {
                ask(&mut session, story, &dnp3::classes(&[1, 2, 3]));
                let objects = [dnp3::indexed8(2, 2, &(0..10).map(event).collect::<Vec<_>>())];
                story.answers(line, &session.response_with_events(dnp3::NO_INDICATION, &objects));
                story.says(line, &session.confirm());
            }
        }
    })
}

fn iec104_reports(exchanges: u32) -> Capture {
    let mut session = iec104::Session::new();
    talk(2_404, exchanges, |story, line, number| {
        if number == 0 {
            story.says(line, &iec104::unnumbered(iec104::STARTDT_ACT));
            story.answers(line, &iec104::unnumbered(iec104::STARTDT_CON));
        }
        let swing = (number % 7) as u8;
        let floats: Vec<(u32, Vec<u8>)> =
            (0..20).map(|at| (700 + at, iec104::short_float(f32::from(swing), 0))).collect();
        let asdu = match number % 4 {
            0 => iec104::asdu(Header::new(13, iec104::PERIODIC, 1), &floats),
            1 => iec104::asdu_sequence(
                Header::new(1, iec104::SPONTANEOUS, 1),
                100,
                &(0..40).map(|at| iec104::single_point((at + number) % 3 == 0, 0)).collect::<Vec<_>>(),
            ),
            _ => {
                let state = [iec104::single_point(number % 8 > 3, 0), iec104::time56(1_767_607_200_000)].concat();
                iec104::asdu(Header::new(30, iec104::SPONTANEOUS, 1), &[(100 + number % 4, state)])
            }
        };
        story.answers(line, &session.reports(&asdu));
        if number % 4 == 3 {
            story.says(line, &session.acknowledges(Station::Controlling));
        }
    })
}

/// What came of the frames after the first.
struct After {
    /// How often memory was asked for.
    asked: usize,
    frames: usize,
    alerts: usize,
}

/// Lets the sensor see the same traffic for a while before the counting begins.
fn after_a_while(capture: &Capture, setup: Setup) -> After {
    let mut batches = vec![FrameBatch::default()];
    for (number, frame) in (1..).zip(&capture.frames) {
        if batches.last().is_some_and(|batch| batch.frames.len() == BATCH) {
            batches.push(FrameBatch::default());
        }
        let batch = batches.last_mut().expect("there is one");
        batch.push(head(number, frame.time_ns, capture.link_type, &frame.octets), &frame.octets);
    }
    let (before, counted) = batches.split_at(batches.len() * BEFORE as usize / (BEFORE + COUNTED) as usize);
    let mut analyzer = Analyzer::new(setup);
    let mut alerts: Vec<Alert> = Vec::new();
    before.iter().for_each(|batch| analyzer.push_batch(batch, &mut alerts));
    let (start, heard) = (ASKED.get(), alerts.len());
    counted.iter().for_each(|batch| analyzer.push_batch(batch, &mut alerts));
    let asked = ASKED.get() - start;
    let frames = counted.iter().map(|batch| batch.frames.len()).sum();
    After { asked, frames, alerts: alerts.len() - heard }
}

#[test]
fn usual_traffic_asks_for_no_memory() {
    for (what, make) in [
        ("modbus", modbus_polls as fn(u32) -> Capture),
        ("dnp3", dnp3_polls as fn(u32) -> Capture),
        ("iec104", iec104_reports as fn(u32) -> Capture),
    ] {
        let capture = make(BEFORE + COUNTED);
        let baseline = learn(&make(LEARNT), None);
        let usual = Setup { policy: policy(None, Some(&baseline)), seed: 1, ..Setup::default() };
        for (who, setup) in [("no baseline", Setup { seed: 1, ..Setup::default() }), ("its baseline", usual)] {
            let After { asked, frames, alerts } = after_a_while(&capture, setup);
            println!("{what}, {who}: {asked} times in {frames} frames");
            assert_eq!(alerts, 0, "{what}, {who}: it is usual");
            assert!(asked * 100 <= frames, "{what}, {who}: {asked} times in {frames} frames");
        }
    }
}

#[test]
fn new_flows_ask_for_memory() {
    // The other sense: what was never seen before is kept.
    let mut story = Story::new();
    for number in 0..BEFORE + COUNTED {
        let [_, _, high, low] = number.to_be_bytes();
        let client = Host::new("client", [2, 0, 0, 0, high, low], [10, 21, high, low]);
        story.tcp_unanswered(client, STATION.port(502)).wait_ms(1);
    }
    let After { asked, frames, .. } = after_a_while(&story.end(), Setup { seed: 1, ..Setup::default() });
    println!("new flows: {asked} times in {frames} frames");
    assert!(asked * 100 > frames, "{asked} times in {frames} frames");
}
