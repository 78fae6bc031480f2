//! Tests of the diagnosis on generated mirrors: a good one gives no complaint, each bad one its own.

use super::*;
use crate::finding::Grade;
use crate::generated::{Generated, arp, ether};
use yagura_rules::facts::event::FrameRef;
use yagura_rules::facts::time::Timestamp;

const MS: u64 = 1_000_000;

struct Mirror {
    diagnosis: Diagnosis,
    time: u64,
}

impl Mirror {
    fn new(port: Port) -> Self {
        Self { diagnosis: Diagnosis::of(port), time: 1_700_000_000_000 * MS }
    }

    fn frame(&mut self, octets: &[u8]) -> &mut Self {
        self.cut_frame(octets, octets.len() as u32)
    }

    fn cut_frame(&mut self, octets: &[u8], wire_octets: u32) -> &mut Self {
        self.time += MS;
        let head = FrameHead {
            origin: FrameRef { capture: 0, frame: self.diagnosis.frames() + 1 },
            time: Timestamp(self.time),
            link: LinkType::ETHERNET,
            wire_octets,
            start: 0,
            captured_octets: octets.len() as u32,
        };
        self.diagnosis.see(&head, octets);
        self
    }

    /// Polls and answers of ten clients, in two VLANs.
    fn good(&mut self) -> &mut Self {
        for round in 0..10_u16 {
            for client in 0..10_u16 {
                let request =
                    Generated::tcp(50_000 + client, 502).vlan(10 + client % 2).numbered(1 + round * 10 + client);
                self.frame(&request.octets());
                self.frame(&request.answered().octets());
            }
        }
        self.frame(&arp())
    }

    fn faults(&self) -> Vec<String> {
        self.told(Grade::Fault)
    }

    fn doubts(&self) -> Vec<String> {
        self.told(Grade::Doubt)
    }

    fn told(&self, grade: Grade) -> Vec<String> {
        let words = self.diagnosis.words(30);
        assert!(words.is_sorted_by_key(|finding| finding.grade));
        words.into_iter().filter(|finding| finding.grade == grade).map(|finding| finding.words).collect()
    }

    #[track_caller]
    fn complains_only(&self, grade: Grade, word: &str) {
        let complaints = [self.faults(), self.doubts()].concat();
        assert!(complaints.len() == 1, "{complaints:#?}");
        let told = self.told(grade);
        assert!(told.first().is_some_and(|words| words.contains(word)), "{word}: {complaints:#?}");
    }
}

fn mirror() -> Mirror {
    Mirror::new(Port::default())
}

#[test]
fn a_good_mirror_gives_facts_and_no_complaint() {
    let mut mirror = mirror();
    mirror.good();
    assert_eq!((mirror.faults(), mirror.doubts()), (vec![], vec![]));
    let facts = mirror.told(Grade::Fact).join("\n");
    assert!(facts.contains("Modbus (200 frames)"), "{facts}");
    assert!(facts.contains("200 of 201 frames (99.5 %) have a VLAN tag, of 2 VLANs: 10, 11."), "{facts}");
    assert!(facts.contains("201 frames in 0.2 s, 10 TCP conversations."), "{facts}");
}

#[test]
fn silence_is_a_fault_and_a_long_pause_a_doubt() {
    let mut mirror = mirror();
    mirror.complains_only(Grade::Fault, "Not one frame arrived in 30 s");
    mirror.good();
    mirror.time += 4_900 * MS;
    mirror.good();
    assert_eq!(mirror.doubts(), Vec::<String>::new());
    mirror.time += 7_000 * MS;
    mirror.good();
    mirror.complains_only(Grade::Doubt, "For 7 s at a stretch nothing arrived");
}

#[test]
fn one_direction_is_a_fault_unless_nobody_answered() {
    let mut mirror = mirror();
    mirror.good();
    for number in 500..510 {
        mirror.frame(&Generated { flags: 2, ..Generated::tcp(51_000, 102).vlan(10).numbered(number) }.octets());
    }
    assert_eq!(mirror.faults(), Vec::<String>::new(), "a SYN that nobody answers");
    for number in 600..603 {
        mirror.frame(&Generated::tcp(52_000, 102).vlan(10).numbered(number).octets());
    }
    assert_eq!(mirror.faults(), Vec::<String>::new(), "too few to know");
    mirror.frame(&Generated::tcp(52_000, 102).vlan(10).numbered(603).octets());
    mirror.complains_only(Grade::Doubt, "1 of 11 TCP conversations (9.0 %)");
    for number in 700..704 {
        mirror.frame(&Generated::tcp(53_000, 102).vlan(10).numbered(number).octets());
    }
    mirror.complains_only(Grade::Fault, "2 of 12 TCP conversations (16.6 %)");
}

#[test]
fn copies_are_told_and_repeats_are_not() {
    let mut mirror = mirror();
    mirror.good();
    for number in 500..520 {
        let frame = Generated::tcp(50_000, 502).vlan(10).numbered(number);
        mirror.frame(&frame.octets()).frame(&frame.answered().octets());
        mirror.time += 20 * MS;
    }
    assert_eq!(mirror.doubts(), Vec::<String>::new());
    // What devices repeat of themselves is no copy.
    for _ in 0..20 {
        mirror.frame(&Generated::udp(34_964, 34_964).vlan(10).numbered(0).octets());
        mirror.frame(&ether(0x88B8, &[7; 60]));
    }
    assert_eq!(mirror.doubts(), Vec::<String>::new());
    for number in 600..620 {
        let octets = Generated::tcp(50_000, 502).vlan(10).numbered(number).octets();
        mirror.frame(&octets).frame(&octets);
    }
    mirror.complains_only(Grade::Doubt, "20 of 280 packets (7.1 %) come twice");
}

#[test]
fn long_frames_are_measured_against_the_mtu_and_tags() {
    let long = |octets: usize| {
        let mut mirror = mirror();
        let frame = Generated { payload: vec![1; octets], ..Generated::tcp(50_000, 502).vlan(10).numbered(900) };
        mirror.good().frame(&frame.octets());
        mirror
    };
    // 1500 of the network, with 4 for a frame check sequence.
    assert_eq!(long(1_464).doubts(), Vec::<String>::new());
    long(1_465).complains_only(Grade::Doubt, "1 of 202 frames (0.4 %) are longer than the port's MTU of 1500");
}

#[test]
fn wrong_checksums_are_told_with_their_sender() {
    let mut mirror = mirror();
    mirror.good();
    let mut frame = Generated::tcp(50_000, 502).vlan(10).numbered(900).octets();
    let last = frame.len() - 1;
    frame[last] ^= 1;
    mirror.frame(&frame);
    mirror.complains_only(Grade::Doubt, "1 of 201 TCP segments (0.4 %), 1 of them from 02:00:00:00:00:01 have");
    let mut mirror = self::mirror();
    mirror.good();
    let mut frame = Generated::tcp(50_000, 502).vlan(10).numbered(900).octets();
    frame[26] ^= 1;
    mirror.frame(&frame);
    mirror.complains_only(Grade::Doubt, "1 of 201 IPv4 packets (0.4 %) have a wrong header checksum");
}

#[test]
fn an_odd_number_of_octets_has_a_checksum_too() {
    let mut mirror = mirror();
    let frame = Generated { payload: vec![9; 13], ..Generated::tcp(50_000, 502).vlan(10).numbered(900) };
    mirror.good().frame(&frame.octets());
    assert_eq!(mirror.doubts(), Vec::<String>::new());
    assert_eq!(mirror.diagnosis.segments.all, 201);
}

#[test]
fn broadcasts_alone_are_no_mirror() {
    let own = MacAddr([2, 0, 0, 0, 0, 9]);
    let mut mirror = Mirror::new(Port { own: Some(own), ..Port::default() });
    for _ in 0..50 {
        mirror.frame(&arp());
    }
    assert!(mirror.faults().iter().any(|words| words.contains("All 50 frames")), "{:?}", mirror.faults());
    // To the port itself is no mirror either.
    let to_own = Generated { destination_mac: own.0, ..Generated::tcp(50_000, 502).vlan(10) };
    mirror.frame(&to_own.octets());
    assert!(mirror.faults().iter().any(|words| words.contains("All 50 frames")), "{:?}", mirror.faults());
    assert!(mirror.doubts().iter().any(|words| words.contains("1 of 51 frames (1.9 %) are to or from the port")));
    for number in 0..4 {
        let request = Generated::tcp(50_000, 502).vlan(10).numbered(number + 1);
        mirror.frame(&request.octets()).frame(&request.answered().octets());
    }
    assert_eq!(mirror.faults(), Vec::<String>::new());
}

#[test]
fn a_few_frames_between_devices_are_a_doubt() {
    let mut mirror = mirror();
    mirror.frame(&Generated::udp(50_000, 502).vlan(10).octets());
    for _ in 0..98 {
        mirror.frame(&arp());
    }
    assert!(!mirror.doubts().iter().any(|words| words.starts_with("Only")));
    for _ in 0..2 {
        mirror.frame(&arp());
    }
    assert!(mirror.doubts().iter().any(|words| words.starts_with("Only 1 of 101 frames")), "{:?}", mirror.doubts());
}

#[test]
fn vlans_and_protocols_are_asked_for() {
    let mut mirror = mirror();
    for number in 1..5 {
        let request = Generated::tcp(50_000, 443).vlan(7).numbered(number);
        mirror.frame(&request.octets()).frame(&request.answered().octets());
    }
    let doubts = mirror.doubts();
    assert!(doubts.iter().any(|words| words.contains("All frames are of VLAN 7.")), "{doubts:?}");
    assert!(doubts.iter().any(|words| words.contains("No frame is of an industrial protocol")), "{doubts:?}");
    mirror.frame(&ether(0x8892, &[1; 46]));
    assert_eq!(mirror.doubts(), Vec::<String>::new());
    let mut untagged = self::mirror();
    let request = Generated::tcp(50_000, 502);
    untagged.frame(&request.octets()).frame(&request.answered().octets());
    assert!(untagged.told(Grade::Fact).iter().any(|words| words.contains("No frame has a VLAN tag")));
}

#[test]
fn losses_and_cut_frames_are_faults() {
    let mut mirror = mirror();
    mirror.good();
    mirror.diagnosis.missing(Missing { kernel: 67, interface: 0 });
    mirror.complains_only(Grade::Fault, "no room for 67 of 268 frames (25.0 %)");
    mirror.diagnosis.missing(Missing { kernel: 0, interface: 5 });
    mirror.complains_only(Grade::Fault, "The network card lost 5 frames");
    mirror.diagnosis.missing(Missing::default());
    let frame = Generated::tcp(50_000, 502).vlan(10).numbered(900).octets();
    mirror.cut_frame(&frame[..64], frame.len() as u32);
    mirror.complains_only(Grade::Fault, "1 of 202 frames (0.4 %) were cut");
}

#[test]
fn any_octets_are_seen_without_harm_and_within_bounds() {
    let mut mirror = mirror();
    let whole = Generated::tcp(50_000, 502).vlan(10).octets();
    for cut in 0..whole.len() {
        mirror.cut_frame(&whole[..cut], 9_000);
    }
    let mut random = 1_u64;
    for _ in 0..100_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bytes = random.to_be_bytes();
        let frame = Generated { source: bytes[..4].try_into().unwrap(), ..Generated::tcp(50_000, 502).vlan(10) };
        mirror.frame(&frame.octets());
    }
    assert_eq!(mirror.diagnosis.conversations.len(), CONVERSATIONS_MAX);
    assert!(!mirror.diagnosis.words(1).is_empty());
}

#[test]
fn shares_have_a_numerator_and_a_denominator() {
    assert_eq!(share(0, 0, "frames"), "0 of 0 frames (0.0 %)");
    assert_eq!(share(u64::MAX, u64::MAX, "frames"), format!("{0} of {0} frames (100.0 %)", u64::MAX));
}
