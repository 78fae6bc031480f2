//! What the benches share: captures as batches, one analysis, and how long each bench may take.

use criterion::Criterion;
use fixtures::scenarios::{self, Scenario};
use fixtures::story::{Capture, Host, Story};
use fixtures::wire::modbus;
use std::hint::black_box;
use std::time::Duration;
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::frame::{FrameBatch, FrameHead};
use yagura_parsers::packet::link::LinkType;
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::event::FrameRef;
use yagura_rules::facts::time::Timestamp;
use yagura_rules::policy::Policy;

/// Frames of a batch, as the sensor has them.
pub const BATCH_FRAMES: usize = 512;

/// Short and few samples: what counts is a ratio between neighbours, and all benches together take a few minutes.
pub fn stopwatch() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args()
}

/// Frames of Ethernet with their times in ns, as batches.
pub fn batches<'a>(frames: impl IntoIterator<Item = (u64, &'a [u8])>) -> Vec<FrameBatch> {
    batches_of_size(BATCH_FRAMES, frames)
}

/// As [`batches`], with so many frames in each.
pub fn batches_of_size<'a>(size: usize, frames: impl IntoIterator<Item = (u64, &'a [u8])>) -> Vec<FrameBatch> {
    let mut batches: Vec<FrameBatch> = Vec::new();
    for (number, (time_ns, octets)) in (1..).zip(frames) {
        if batches.last().is_none_or(|batch| batch.frames.len() == size) {
            batches.push(FrameBatch::default());
        }
        let head = FrameHead {
            origin: FrameRef { capture: 0, frame: number },
            time: Timestamp(time_ns),
            link: LinkType::ETHERNET,
            wire_octets: u32::try_from(octets.len()).expect("a frame is short"),
            start: 0,
            captured_octets: 0,
        };
        if let Some(batch) = batches.last_mut() {
            batch.push(head, octets);
        }
    }
    batches
}

/// A capture as batches.
pub fn batches_of(capture: &Capture) -> Vec<FrameBatch> {
    batches(capture.frames.iter().map(|frame| (frame.time_ns, frame.octets.as_slice())))
}

/// The whole way of some batches, to their end; answers how many alerts there are.
pub fn analyze(analyzer: &mut Analyzer, batches: &[FrameBatch]) -> usize {
    let mut alerts = Vec::new();
    let before = push(analyzer, batches);
    analyzer.finish(&mut alerts);
    before + alerts.len()
}

/// The same of batches after which more may come. Alerts are dropped batch by batch, as by a program that writes them.
pub fn push(analyzer: &mut Analyzer, batches: &[FrameBatch]) -> usize {
    let mut count = 0;
    for batch in batches {
        let mut alerts = Vec::new();
        analyzer.push_batch(batch, &mut alerts);
        count += black_box(alerts).len();
    }
    count
}

/// The least that any analysis does: every octet of every frame is looked at once.
pub fn touch(batches: &[FrameBatch]) -> u64 {
    batches.iter().flat_map(FrameBatch::iter).map(|frame| sum(frame.octets)).sum()
}

/// The sum of octets.
pub fn sum(octets: &[u8]) -> u64 {
    octets.iter().map(|octet| u64::from(*octet)).sum()
}

/// The demonstration plant.
pub fn demo() -> Scenario {
    scenarios::all().into_iter().find(|scenario| scenario.name == "demo").expect("there is a demonstration")
}

/// The policy of one text.
pub fn policy(text: &str) -> Policy {
    Policy::load("site.toml", &mut |_| Ok(text.to_owned()), CATALOG).expect("the text is a good site file")
}

/// The policy that knows as usual what some batches show.
pub fn learnt(batches: &[FrameBatch]) -> Policy {
    let mut analyzer = Analyzer::new(Setup { learn: true, ..Setup::default() });
    analyze(&mut analyzer, batches);
    policy(&analyzer.into_report().learnt.expect("it was asked to learn").to_toml())
}

/// Steady polling, as most of an industrial network's traffic is: four clients read 10 to 100 registers of four servers,
/// and write one register after every tenth read. Two frames an exchange.
pub fn polling(exchanges: u32) -> Capture {
    let mut story = Story::new();
    let mut conversations = Vec::new();
    for client in 0..4_u8 {
        for server in 0..4_u8 {
            let from = Host::new("client", [2, 0, 0, 0, 0, client], [10, 20, 0, client + 1]);
            let to = Host::new("server", [2, 0, 0, 0, 1, server], [10, 20, 1, server + 1]);
            conversations.push(story.tcp(from, to.port(502)));
        }
    }
    let values: Vec<u16> = (0..100).collect();
    for (number, conversation) in (0..exchanges).zip(conversations.iter().cycle()) {
        if number % 10 == 9 {
            let written = modbus::write_single_register(40, 17);
            story.modbus(*conversation, 1, &written, &written);
        } else {
            let quantity = [10, 50, 100][usize::try_from(number % 3).expect("below 3")];
            let response = modbus::registers(3, &values[..usize::from(quantity)]);
            story.modbus(*conversation, 1, &modbus::read(3, 0, quantity), &response);
        }
        if number % 16 == 15 {
            story.wait_ms(100);
        }
    }
    story.end()
}
