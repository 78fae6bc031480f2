//! Tests of the hand-over: nothing waits, nothing is lost uncounted, and what matters goes last.

use super::*;
use crate::generated::{Generated, arp};
use yagura_parsers::packet::link::LinkType;
use yagura_rules::facts::event::FrameRef;

const SMALL: Bounds = Bounds { batches: 4, frames: 2, octets: 10_000, reserve: 2, abroad: 1 };
const TICK: Duration = Duration::from_millis(10);

fn head(number: u64, octets: &[u8]) -> FrameHead {
    FrameHead {
        origin: FrameRef { capture: 0, frame: number },
        time: Timestamp(number * 1_000),
        link: LinkType::ETHERNET,
        wire_octets: octets.len() as u32,
        start: 0,
        captured_octets: 0,
    }
}

struct Feeder {
    giver: Giver,
    taker: Taker,
    number: u64,
}

impl Feeder {
    fn new(bounds: Bounds) -> Self {
        let (giver, taker) = hand_over(bounds);
        Self { giver, taker, number: 0 }
    }

    fn bulk(&mut self, count: usize) {
        self.frames(count, &Generated::tcp(50_000, 443).octets());
    }

    fn industrial(&mut self, count: usize) {
        self.frames(count, &Generated::tcp(50_000, 502).octets());
    }

    fn frames(&mut self, count: usize, octets: &[u8]) {
        for _ in 0..count {
            self.number += 1;
            self.giver.take(head(self.number, octets), octets);
        }
        let counted = self.giver.counted();
        assert_eq!(counted.received, counted.handed + counted.lost.total() + counted.held);
    }

    /// All that is there: frame numbers, `Lost(n)` and so on, as text.
    fn taken(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Ok(handed) = self.taker.receiver().try_recv() {
            all.push(match handed {
                Handed::Frames(batch) => {
                    let numbers: Vec<u64> = batch.frames.iter().map(|head| head.origin.frame).collect();
                    assert!(batch.iter().all(|frame| !frame.octets.is_empty()));
                    self.taker.give_back(batch);
                    format!("{numbers:?}")
                }
                Handed::Heartbeat(time) => format!("heartbeat {}", time.0),
                Handed::Loss(loss) => format!("lost {} from {} to {}", loss.total(), loss.first.0, loss.last.0),
                Handed::State(state) => format!("{state:?}"),
            });
        }
        all
    }
}

#[test]
fn batches_go_when_full_and_the_rest_when_wanted() {
    let mut feeder = Feeder::new(SMALL);
    feeder.bulk(3);
    assert_eq!(feeder.taker.receiver().len(), 1);
    let now = Instant::now();
    assert!(feeder.giver.settle(Timestamp(0), now), "the taker has something to do: the third frame waits");
    assert_eq!(feeder.taken(), ["[1, 2]"]);
    assert!(!feeder.giver.settle(Timestamp(0), now));
    assert_eq!(feeder.taken(), ["[3]"]);
    assert_eq!(feeder.giver.counted(), Counted { received: 3, handed: 3, ..Counted::default() });
}

#[test]
fn a_batch_is_bounded_in_octets_too() {
    let mut feeder = Feeder::new(Bounds { frames: 1_000, octets: 3_000, ..SMALL });
    feeder.frames(4, &[0; 1_400]);
    assert_eq!(feeder.taken(), ["[1, 2, 3]"]);
}

#[test]
fn bulk_goes_first_and_then_everything() {
    let mut feeder = Feeder::new(SMALL);
    feeder.bulk(4);
    assert_eq!(feeder.giver.counted().lost.total(), 0, "two of four places");
    feeder.bulk(2);
    assert_eq!(feeder.giver.counted().lost, ByClass { bulk: 2, ..ByClass::default() }, "the reserve is not for bulk");
    feeder.industrial(1);
    feeder.frames(1, &arp());
    assert_eq!(feeder.giver.counted().lost.total(), 2, "but for these");
    feeder.industrial(10);
    let lost = feeder.giver.counted().lost;
    assert!(lost.industrial > 0 && lost.bulk == 2, "{lost:?}");
    assert_eq!(feeder.taker.gauge().counted().received, 18, "told while the taker stands still");
    let mut taken = feeder.taken();
    feeder.giver.look_up();
    taken.extend(feeder.taken());
    assert_eq!(
        taken,
        ["[1, 2]", "[3, 4]", "lost 2 from 5000 to 6000", "[7, 8]", "[9, 10]", "lost 8 from 11000 to 18000"],
        "each loss in its place"
    );
    feeder.giver.look_up();
    feeder.bulk(2);
    assert_eq!(feeder.taken(), ["[19, 20]"], "recovered");
}

#[test]
fn the_reserve_is_not_used_up_by_tellings_of_losses() {
    let mut feeder = Feeder::new(SMALL);
    feeder.bulk(4);
    for _ in 0..10 {
        feeder.bulk(1);
        feeder.giver.look_up();
    }
    assert_eq!(feeder.taker.receiver().len(), 2);
    feeder.industrial(2);
    assert_eq!(feeder.taken(), ["[1, 2]", "[3, 4]", "lost 10 from 5000 to 14000", "[15, 16]"]);
    feeder.giver.lost_before(5, 0, Timestamp(1));
    feeder.giver.look_up();
    assert_eq!(feeder.taken(), ["lost 5 from 1 to 1"], "told at once where there is room");
}

#[test]
fn as_much_as_there_is_room_for_is_not_lost_and_one_more_is() {
    let mut feeder = Feeder::new(SMALL);
    feeder.bulk(1);
    assert_eq!(feeder.giver.room(), 3);
    feeder.bulk(3);
    assert!(feeder.giver.is_crowded());
    assert_eq!((feeder.giver.counted().lost.bulk, feeder.giver.room()), (0, 1));
    feeder.bulk(1);
    assert_eq!(feeder.giver.counted().lost.bulk, 1);
}

#[test]
fn a_taker_that_keeps_its_batches_costs_bounded_memory() {
    let mut feeder = Feeder::new(SMALL);
    let mut kept = Vec::new();
    for _ in 0..20 {
        feeder.industrial(2);
        kept.extend(feeder.taker.receiver().try_iter());
    }
    let batches = kept.iter().filter(|handed| matches!(handed, Handed::Frames(_))).count();
    assert_eq!(batches, most_batches(&SMALL));
    let counted = feeder.giver.counted();
    assert_eq!(counted.lost.industrial, 40 - 2 * batches as u64);
    for handed in kept {
        if let Handed::Frames(batch) = handed {
            feeder.taker.give_back(batch);
        }
    }
    feeder.industrial(2);
    assert_eq!(feeder.giver.counted().lost, counted.lost, "they are used again");
}

#[test]
fn silence_has_a_heartbeat_a_second_that_never_goes_back() {
    let second = 1_000_000_000;
    let mut feeder = Feeder::new(SMALL);
    let start = Instant::now();
    feeder.bulk(1);
    feeder.giver.settle(Timestamp(10 * second), start);
    assert_eq!(feeder.taken(), ["[1]"]);
    feeder.giver.settle(Timestamp(10 * second), start + HEARTBEAT - TICK);
    assert!(feeder.taken().is_empty(), "not yet");
    feeder.giver.settle(Timestamp(11 * second), start + HEARTBEAT);
    assert_eq!(feeder.taken(), ["heartbeat 10800000000"]);
    feeder.giver.settle(Timestamp(11 * second), start + HEARTBEAT + TICK);
    assert!(feeder.taken().is_empty(), "one a second");
    feeder.giver.settle(Timestamp(5 * second), start + HEARTBEAT * 2);
    assert_eq!(feeder.taken(), ["heartbeat 10800000000"], "the clock was set back");
    feeder.number = 20_000_000;
    feeder.bulk(1);
    feeder.giver.settle(Timestamp(12 * second), start + HEARTBEAT * 3);
    feeder.taken();
    feeder.giver.settle(Timestamp(13 * second), start + HEARTBEAT * 4);
    assert_eq!(feeder.taken(), ["heartbeat 20000001000"], "never behind a frame");
}

#[test]
fn no_heartbeat_overtakes_what_waits() {
    let mut feeder = Feeder::new(SMALL);
    let start = Instant::now();
    feeder.bulk(2);
    feeder.giver.settle(Timestamp(0), start);
    feeder.giver.settle(Timestamp(9), start + HEARTBEAT * 5);
    assert_eq!(feeder.taken(), ["[1, 2]"], "the taker is behind: it needs none");
}

#[test]
fn states_and_losses_stay_in_order_and_bounded() {
    let mut feeder = Feeder::new(Bounds { batches: 8, ..SMALL });
    feeder.bulk(1);
    feeder.giver.state(LinkState::NoCarrier);
    feeder.giver.lost_before(3, 1, Timestamp(7));
    feeder.giver.lost_before(0, 0, Timestamp(8));
    feeder.giver.look_up();
    assert_eq!(feeder.taken(), ["[1]", "NoCarrier", "lost 4 from 7 to 7"]);
    for _ in 0..1_000 {
        feeder.giver.state(LinkState::Up);
        feeder.giver.lost_before(1, 0, Timestamp(9));
        feeder.giver.state(LinkState::NoCarrier);
    }
    assert!(feeder.giver.outbox.len() <= OUTBOX_MAX);
    let mut lost = 0;
    let mut last = None;
    for _ in 0..OUTBOX_MAX {
        feeder.giver.look_up();
        for handed in feeder.taker.receiver().try_iter() {
            match handed {
                Handed::Loss(loss) => lost += loss.kernel,
                Handed::State(state) => last = Some(state),
                _ => {}
            }
        }
    }
    assert_eq!((lost, last), (1_000, Some(LinkState::NoCarrier)));
}

#[test]
fn at_the_end_everything_is_handed_over_or_lost() {
    let mut feeder = Feeder::new(SMALL);
    feeder.industrial(20);
    let counted = feeder.giver.finish(TICK);
    assert_eq!((counted.received, counted.held), (20, 0));
    assert_eq!(counted.handed + counted.lost.total(), 20);
    let handed: usize = feeder
        .taker
        .receiver()
        .try_iter()
        .map(|handed| if let Handed::Frames(batch) = handed { batch.frames.len() } else { 0 })
        .sum();
    assert_eq!(handed as u64, counted.handed);
}

#[test]
fn what_nobody_takes_is_lost_and_the_capture_is_told() {
    let Feeder { mut giver, taker, .. } = Feeder::new(SMALL);
    drop(taker);
    let octets = arp();
    for number in 1..=2 {
        giver.take(head(number, &octets), &octets);
    }
    assert!(giver.is_deserted());
    assert_eq!(giver.counted().lost, ByClass { addressing: 2, ..ByClass::default() });
    assert_eq!(giver.counted().held, 0);
}

#[test]
fn the_default_bounds_are_what_is_promised() {
    let bounds = Bounds::default();
    assert_eq!((bounds.batches, bounds.frames), (64, 256));
    // An Ethernet batch of full frames is not cut short by its octets.
    assert!(bounds.frames * 1_522 < bounds.octets);
}
