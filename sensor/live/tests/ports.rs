//! Real ports: pairs of virtual ones, the far end in a network namespace of its own. They need root and `ip`,
//! `python3`: `cargo test -p yagura-live --test ports -- --ignored`.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use yagura_core::frame::FrameBatch;
use yagura_live::capture::{Filled, LiveCapture, Settings};
use yagura_live::class::ByClass;
use yagura_live::doctor::doctor;
use yagura_live::error::Error;
use yagura_live::finding::Grade;
use yagura_live::hand_over::{Bounds, Handed, Loss, hand_over};
use yagura_live::interface::{Interface, LinkState};
use yagura_live::listen::listen;
use yagura_live::prepare::{Outcome, check, prepare};
use yagura_live::transmitted::Transmitted;

static COUNT: AtomicU32 = AtomicU32::new(0);
const SEND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/send.py");

/// A port to listen on, and the far end of its cable. Both go when it is dropped.
struct Cable {
    port: String,
    far: String,
    namespace: String,
}

impl Cable {
    fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let stem = format!("yg{}", std::process::id());
        let cable = Self {
            port: format!("{stem}m{number}"),
            far: format!("{stem}f{number}"),
            namespace: format!("{stem}-{number}"),
        };
        ip(&["netns", "add", &cable.namespace]);
        cable.lay();
        cable
    }

    /// Makes both ports, the near one switched off.
    fn lay(&self) {
        ip(&["link", "add", &self.port, "type", "veth", "peer", "name", &self.far, "netns", &self.namespace]);
        self.far(&["sysctl", "-qw", &format!("net/ipv6/conf/{}/disable_ipv6=1", self.far)]);
        self.far(&["ip", "link", "set", &self.far, "up"]);
    }

    fn prepared() -> Self {
        let cable = Self::new();
        prepare(&cable.port).unwrap();
        let port = Interface::named(&cable.port).unwrap();
        let start = Instant::now();
        // The kernel takes its time to say that there is a link.
        while port.link().unwrap().state != LinkState::Up && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(20));
        }
        cable
    }

    /// Runs a program at the far end.
    fn far(&self, command: &[&str]) -> Output {
        run("ip", &[&["netns", "exec", &self.namespace], command].concat())
    }

    /// Sends datagrams to a port from the far end; gives how many were sent.
    fn send(&self, count: usize, port: u16, octets: usize) -> u64 {
        let arguments = [self.far.clone(), count.to_string(), port.to_string(), octets.to_string()];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = self.far(&[&["python3", SEND], arguments.as_slice()].concat());
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    fn settings(&self) -> Settings {
        Settings::of(&self.port)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // With one end goes the other.
        let _ = Command::new("ip").args(["link", "del", &self.port]).output();
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).output();
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[track_caller]
fn ip(arguments: &[&str]) {
    run("ip", arguments);
}

/// Fills until `wanted` frames came, or five seconds went by; gives all states that were told meanwhile.
fn frames(capture: &mut LiveCapture, wanted: usize, batch: &mut FrameBatch) -> Vec<LinkState> {
    let start = Instant::now();
    let mut all = FrameBatch::default();
    let mut states = Vec::new();
    while all.frames.len() < wanted && start.elapsed() < Duration::from_secs(5) {
        match capture.fill(batch, 256).unwrap() {
            Filled::Frames => batch.iter().for_each(|frame| all.push(frame.head, frame.octets)),
            Filled::Nothing => {}
            Filled::State(state) => states.push(state),
        }
    }
    *batch = all;
    states
}

/// Fills until another state is told.
fn next_state(capture: &mut LiveCapture) -> LinkState {
    let start = Instant::now();
    let mut batch = FrameBatch::default();
    while start.elapsed() < Duration::from_secs(5) {
        if let Filled::State(state) = capture.fill(&mut batch, 256).unwrap() {
            return state;
        }
    }
    capture.state()
}

#[test]
#[ignore = "needs root: network namespaces"]
fn preparing_is_told_step_by_step_and_twice_is_once() {
    let cable = Cable::new();
    ip(&["addr", "add", "192.0.2.77/24", "dev", &cable.port]);
    let steps = prepare(&cable.port).unwrap();
    let told: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert!(steps.iter().all(|step| !matches!(step.outcome, Outcome::Refused(_))), "{told:#?}");
    for expected in ["ARP: on -> off", "IPv6: on -> off", "addresses: 192.0.2.77/24 -> none", "link: down -> up"] {
        assert!(told.iter().any(|step| step.starts_with(expected)), "{expected}: {told:#?}");
    }
    assert!(steps.iter().all(|step| step.undo.is_some() == (step.outcome == Outcome::Changed)), "{told:#?}");
    let again = prepare(&cable.port).unwrap();
    assert!(again.iter().all(|step| step.outcome == Outcome::Already), "{again:#?}");
    assert_eq!(check(&cable.port).unwrap(), []);
    // What is told to undo it does so.
    for command in steps.iter().filter_map(|step| step.undo.as_deref()).flat_map(|undo| undo.split("; ")) {
        let words: Vec<&str> = command.split(' ').collect();
        run(words[0], &words[1..]);
    }
    let link = Interface::named(&cable.port).unwrap().link().unwrap();
    assert_eq!((link.state, link.arp, link.ipv6, link.promiscuous), (LinkState::Disabled, true, Some(true), false));
    assert!(check(&cable.port).unwrap().iter().any(|finding| finding.words.contains("192.0.2.77/24")));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_port_that_the_machine_is_reached_by_is_not_prepared() {
    let cable = Cable::new();
    ip(&["addr", "add", "192.0.2.78/24", "dev", &cable.port]);
    ip(&["link", "set", &cable.port, "up"]);
    // One that loses to any other default route.
    ip(&["route", "add", "default", "via", "192.0.2.79", "dev", &cable.port, "metric", "4000000000"]);
    let refused = prepare(&cable.port).unwrap_err();
    assert!(matches!(&refused, Error::Needed { .. }), "{refused}");
    let link = Interface::named(&cable.port).unwrap().link().unwrap();
    assert!(link.arp, "nothing was changed");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_prepared_port_sends_nothing_and_another_does() {
    let prepared = Cable::prepared();
    let unprepared = Cable::new();
    let mut transmitted = Transmitted::of([prepared.port.as_str(), unprepared.port.as_str()]).unwrap();
    ip(&["addr", "add", "198.51.100.1/24", "dev", &unprepared.port]);
    ip(&["link", "set", &unprepared.port, "up"]);
    let mut capture = LiveCapture::open(prepared.settings()).unwrap();
    // Everything that could make it answer: ARP, pings of all, IPv6 neighbours.
    for cable in [&prepared, &unprepared] {
        cable.far(&["sysctl", "-qw", &format!("net/ipv6/conf/{}/disable_ipv6=0", cable.far)]);
        cable.far(&["ip", "addr", "add", "198.51.100.9/24", "dev", &cable.far]);
    }
    let start = Instant::now();
    let mut batch = FrameBatch::default();
    let mut seen = 0;
    while start.elapsed() < Duration::from_secs(10) {
        for cable in [&prepared, &unprepared] {
            cable.send(1, 9, 20);
            let ping = ["netns", "exec", &cable.namespace, "ping", "-c1", "-W1", "198.51.100.1"];
            let _ = Command::new("ip").args(ping).output();
        }
        while capture.fill(&mut batch, 256).unwrap() == Filled::Frames {
            seen += batch.frames.len();
        }
    }
    assert!(seen > 10, "it was spoken to: {seen}");
    let told = transmitted.look();
    assert_eq!(told.iter().map(|sent| sent.interface.as_str()).collect::<Vec<_>>(), [unprepared.port.as_str()]);
    assert!(told[0].frames >= 3, "{told:?}");
    let findings = doctor(&unprepared.port, Duration::from_millis(300), &AtomicBool::new(false)).unwrap();
    assert!(findings.iter().any(|finding| finding.words.contains("198.51.100.1/24")), "{findings:#?}");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn frames_come_whole_with_nanoseconds_and_are_counted() {
    let cable = Cable::prepared();
    let mut capture = LiveCapture::open(cable.settings()).unwrap();
    let mut batch = FrameBatch::default();
    assert_eq!(capture.fill(&mut batch, 256).unwrap(), Filled::Nothing, "an idle link is no reason to wait");
    assert_eq!(cable.send(50, 502, 100), 50);
    assert_eq!(frames(&mut capture, 50, &mut batch), []);
    assert_eq!(batch.frames.len(), 50);
    assert!(batch.iter().all(|frame| frame.octets.len() == 142 && frame.head.wire_octets == 142));
    assert_eq!(batch.frames[49].origin.frame, 50);
    assert!(batch.frames.iter().any(|head| head.time.0 % 1_000 != 0), "nanoseconds");
    assert!(batch.frames.is_sorted_by_key(|head| head.time));
    let stats = capture.stats();
    assert_eq!((stats.received, stats.read, stats.dropped_by_kernel), (50, 50, 0));
    let settings = Settings { nanoseconds: false, snap_length: 64, ..cable.settings() };
    let mut capture = LiveCapture::open(Settings { filter: Some("port 502".to_owned()), ..settings }).unwrap();
    cable.send(5, 503, 100);
    cable.send(5, 502, 100);
    frames(&mut capture, 5, &mut batch);
    assert_eq!(batch.frames.len(), 5, "the filter");
    assert!(batch.frames.iter().all(|head| head.time.0 % 1_000 == 0 && head.captured_octets == 64));
    assert!(batch.frames.iter().all(|head| head.wire_octets == 142));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_link_that_goes_is_told_and_heard_again_when_it_is_back() {
    let cable = Cable::prepared();
    let mut capture = LiveCapture::open(cable.settings()).unwrap();
    let mut batch = FrameBatch::default();
    cable.far(&["ip", "link", "set", &cable.far, "down"]);
    assert_eq!(next_state(&mut capture), LinkState::NoCarrier);
    cable.far(&["ip", "link", "set", &cable.far, "up"]);
    assert_eq!(next_state(&mut capture), LinkState::Up);
    cable.send(3, 502, 10);
    frames(&mut capture, 3, &mut batch);
    assert_eq!(batch.frames.len(), 3);
    ip(&["link", "set", &cable.port, "down"]);
    assert_eq!(next_state(&mut capture), LinkState::Disabled);
    assert!(matches!(LiveCapture::open(cable.settings()), Err(Error::Down { .. })));
    ip(&["link", "set", &cable.port, "up"]);
    assert_eq!(next_state(&mut capture), LinkState::Up);
    cable.send(3, 502, 10);
    frames(&mut capture, 3, &mut batch);
    assert_eq!((batch.frames.len(), capture.stats().read), (3, 6), "by the same handle");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_port_that_is_taken_away_is_told_and_opened_again_when_wanted() {
    for reopen in [true, false] {
        let cable = Cable::prepared();
        let mut capture = LiveCapture::open(Settings { reopen, ..cable.settings() }).unwrap();
        let mut batch = FrameBatch::default();
        cable.send(3, 502, 10);
        frames(&mut capture, 3, &mut batch);
        ip(&["link", "del", &cable.port]);
        assert_eq!(next_state(&mut capture), LinkState::Removed);
        cable.lay();
        prepare(&cable.port).unwrap();
        let start = Instant::now();
        let state = next_state(&mut capture);
        if !reopen {
            assert_eq!((state, capture.link()), (LinkState::Removed, None));
            continue;
        }
        assert!(start.elapsed() < Duration::from_secs(3));
        if state == LinkState::Disabled {
            assert_eq!(next_state(&mut capture), LinkState::Up);
        }
        cable.send(3, 502, 10);
        frames(&mut capture, 3, &mut batch);
        assert_eq!(batch.frames.first().map(|head| head.origin.frame), Some(4), "numbers go on");
        let stats = capture.stats();
        assert_eq!((stats.received, stats.read), (6, 6), "and so do counters");
    }
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_silent_link_gives_heartbeats_and_its_end_is_told() {
    let cable = Cable::prepared();
    let mut capture = LiveCapture::open(cable.settings()).unwrap();
    let (mut giver, taker) = hand_over(Bounds::default());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let listening = scope.spawn(|| listen(&mut capture, &mut giver, &stop));
        let mut beats = Vec::new();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(3_500) {
            match taker.receive(Duration::from_millis(50)) {
                Some(Handed::Heartbeat(time)) => beats.push(time),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
        cable.far(&["ip", "link", "set", &cable.far, "down"]);
        let state = std::iter::repeat_with(|| taker.receive(Duration::from_secs(1)))
            .take(5)
            .find(|handed| matches!(handed, Some(Handed::State(_))));
        assert!(matches!(state, Some(Some(Handed::State(LinkState::NoCarrier)))), "{state:?}");
        stop.store(true, Ordering::Relaxed);
        listening.join().unwrap().unwrap();
        assert!((2..=3).contains(&beats.len()), "{beats:?}");
        let apart = beats[1].since(beats[0]);
        assert!((900_000_000..1_300_000_000).contains(&apart), "{apart}");
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn an_overload_is_counted_exactly_and_bulk_goes_first() {
    let cable = Cable::prepared();
    let mut capture = LiveCapture::open(Settings { ring_octets: 16 << 20, ..cable.settings() }).unwrap();
    let (mut giver, taker) = hand_over(Bounds::default());
    let stop = AtomicBool::new(false);
    let mut told = Loss::default();
    let mut taken = (0_u64, 0_u64);
    let mut take = |handed| match handed {
        Handed::Frames(batch) => {
            for frame in batch.iter() {
                let industrial = frame.octets.get(36..38) == Some(&[0x01, 0xF6]);
                *(if industrial { &mut taken.0 } else { &mut taken.1 }) += 1;
            }
            taker.give_back(batch);
        }
        Handed::Loss(loss) => {
            told.frames = told.frames.plus(&loss.frames);
            told.kernel += loss.kernel;
        }
        Handed::Heartbeat(_) | Handed::State(_) => {}
    };
    let sent = thread::scope(|scope| {
        let listening = scope.spawn(|| listen(&mut capture, &mut giver, &stop));
        // The taker stands still: there is room for 12,288 frames, and for 4,096 that matter; and for a while in the
        // ring.
        let bulk = cable.send(80_000, 443, 200);
        let industrial = cable.send(3_000, 502, 20);
        thread::sleep(Duration::from_secs(1));
        let seen = taker.gauge().counted();
        assert!(seen.lost.bulk > 20_000, "told while the taker stands still: {seen:?}");
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1_500) {
            taker.receive(Duration::from_millis(20)).map(&mut take);
        }
        let after = cable.send(1_000, 443, 200);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1_500) {
            taker.receive(Duration::from_millis(20)).map(&mut take);
        }
        stop.store(true, Ordering::Relaxed);
        listening.join().unwrap().unwrap();
        (bulk + after, industrial)
    });
    let counted = giver.finish(Duration::from_secs(1));
    taker.receiver().try_iter().for_each(take);
    let stats = capture.stats();
    assert_eq!(stats.received, sent.0 + sent.1, "all that was sent arrived in the kernel: {stats:?}");
    assert_eq!(stats.received, stats.read + stats.dropped_by_kernel, "and was read or dropped there: {stats:?}");
    assert_eq!(counted.received, stats.read);
    assert_eq!(counted.received, counted.handed + counted.lost.total());
    assert_eq!((told.frames, told.kernel), (counted.lost, stats.dropped_by_kernel), "all of it was told");
    assert_eq!(counted.handed, taken.0 + taken.1);
    assert_eq!(taken.1 + counted.lost.bulk + stats.dropped_by_kernel, sent.0);
    if stats.dropped_by_kernel == 0 {
        assert_eq!(counted.lost, ByClass { bulk: counted.lost.bulk, ..ByClass::default() }, "what matters was kept");
        assert_eq!(taken.0, sent.1);
    }
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_burst_that_the_ring_has_room_for_is_not_lost() {
    let cable = Cable::prepared();
    let mut capture = LiveCapture::open(cable.settings()).unwrap();
    let (mut giver, taker) = hand_over(Bounds::default());
    let stop = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let listening = scope.spawn(|| listen(&mut capture, &mut giver, &stop));
        let sent = cable.send(40_000, 443, 200);
        thread::sleep(Duration::from_millis(100));
        assert!(taker.gauge().counted().received < 20_000, "the others stay in the ring");
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            if let Some(Handed::Frames(batch)) = taker.receive(Duration::from_millis(10)) {
                taker.give_back(batch);
            }
        }
        stop.store(true, Ordering::Relaxed);
        listening.join().unwrap().unwrap();
        sent
    });
    let counted = giver.finish(Duration::ZERO);
    assert_eq!((counted.handed, counted.lost.total()), (sent, 0), "{:?}", capture.stats());
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_kernel_drops_what_nobody_reads_and_says_how_much() {
    let cable = Cable::prepared();
    let mut capture = LiveCapture::open(Settings { ring_octets: 4 << 20, ..cable.settings() }).unwrap();
    let sent = cable.send(20_000, 443, 1_000);
    let mut batch = FrameBatch::default();
    let mut read = 0;
    while capture.fill(&mut batch, 256).unwrap() == Filled::Frames {
        read += batch.frames.len() as u64;
    }
    let stats = capture.stats();
    assert!(stats.dropped_by_kernel > 0, "{stats:?}");
    assert_eq!((stats.received, stats.read), (sent, read));
    assert_eq!(read + stats.dropped_by_kernel, sent);
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_doctor_says_what_a_mirror_lacks() {
    let cable = Cable::prepared();
    let stop = AtomicBool::new(false);
    let findings = doctor(&cable.port, Duration::from_millis(1_200), &stop).unwrap();
    assert_eq!(findings.iter().filter(|finding| finding.grade == Grade::Fault).count(), 1, "{findings:#?}");
    assert!(findings[0].words.contains("Not one frame arrived in 1 s"), "{findings:#?}");
    let findings = thread::scope(|scope| {
        let looking = scope.spawn(|| doctor(&cable.port, Duration::from_secs(2), &stop));
        thread::sleep(Duration::from_millis(500));
        cable.send(100, 502, 1_600 - 42 - 140);
        looking.join().unwrap().unwrap()
    });
    assert!(findings.iter().all(|finding| finding.grade != Grade::Fault), "{findings:#?}");
    assert!(findings.iter().any(|finding| finding.words.contains("Modbus (100 frames)")), "{findings:#?}");
}
