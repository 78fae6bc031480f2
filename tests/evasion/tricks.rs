//! What can be done to the packets that carry a request: order, overlaps, conflicts, signs, openings, fragments, wraps.

use crate::talk::{Deed, Language, Talk};
use crate::{CLIENT, DATA, HMI, PLC, SERVER};
use fixtures::story::Dice;
use fixtures::wire::{ethernet, ip, tcp, tunnel, udp};
use std::net::IpAddr;

/// What a protocol at another port shows.
pub const ELSEWHERE: &[&str] = &["protocol_unexpected_port", "conversation_new", "operation_new"];

/// What must come of a write.
#[derive(Clone, Copy, PartialEq)]
pub enum Expect {
    /// It is alerted.
    Alerted,
    /// It is alerted, or it is said that something is hidden.
    Told,
}

/// Takes a request's octets from the talk, and sends them.
pub type Delivery = Box<dyn Fn(&mut Talk, &Deed) + Sync>;

/// A way to deliver a request.
pub struct Trick {
    pub name: String,
    pub expect: Expect,
    /// The trick opens the conversation itself, or means to leave that out.
    pub opens_itself: bool,
    /// One segment alone does not show what is spoken: only what follows does.
    pub needs_answer: bool,
    /// Detections that the twin may raise because of the trick.
    pub shows: Vec<&'static str>,
    /// Takes the request's octets from the talk, and delivers them.
    pub deliver: Delivery,
}

/// The tricks.
pub struct Tricks(pub Vec<Trick>, pub Language);

impl Tricks {
    pub fn add(
        &mut self,
        name: impl Into<String>,
        expect: Expect,
        deliver: impl Fn(&mut Talk, &Deed) + Sync + 'static,
    ) -> &mut Trick {
        let trick = Trick {
            name: name.into(),
            expect,
            opens_itself: false,
            needs_answer: false,
            shows: Vec::new(),
            deliver: Box::new(deliver),
        };
        self.0.push(trick);
        self.0.last_mut().expect("it was just added")
    }

    /// A trick on the request's octets as they follow in the stream; the stream then moves on behind them.
    pub fn stream(
        &mut self,
        name: impl Into<String>,
        expect: Expect,
        deliver: impl Fn(&mut Talk, &[u8]) + Sync + 'static,
    ) -> &mut Trick {
        self.add(name, expect, move |talk, deed| {
            let octets = talk.request(deed);
            deliver(talk, &octets);
            talk.moves(CLIENT, octets.len());
        })
    }
}

/// What a station shows that sends more than its window, waits longer than its timers, or says a number twice.
fn of_the_session(language: Language) -> &'static [&'static str] {
    if language == Language::Iec104 { &["session_irregular"] } else { &[] }
}

impl Trick {
    pub fn opens_itself(&mut self) -> &mut Self {
        self.opens_itself = true;
        self
    }

    pub fn needs_answer(&mut self) -> &mut Self {
        self.needs_answer = true;
        self
    }

    pub fn shows(&mut self, detections: &'static [&'static str]) -> &mut Self {
        self.shows.extend(detections);
        self
    }
}

/// Octets in pieces, with where they start.
pub fn pieces(octets: &[u8], piece: usize) -> Vec<(i64, &[u8])> {
    octets.chunks(piece).enumerate().map(|(number, chunk)| ((number * piece) as i64, chunk)).collect()
}

pub fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut dice = Dice::new(seed);
    for at in (1..items.len()).rev() {
        items.swap(at, dice.below(at as u32 + 1) as usize);
    }
    items
}

/// The tricks with packets, fragments and segments: the same for every protocol.
pub fn of_the_network(tricks: &mut Tricks) {
    plain(tricks);
    order(tricks);
    overlaps(tricks);
    conflicts(tricks);
    signs(tricks);
    openings(tricks);
    fragments(tricks);
    wraps(tricks);
    places(tricks);
}

fn plain(tricks: &mut Tricks) {
    let language = tricks.1;
    tricks.stream("plain", Expect::Alerted, |talk, octets| talk.at(CLIENT, 0, octets));
    for piece in 1..=20 {
        tricks.stream(format!("segments of {piece}"), Expect::Alerted, move |talk, octets| {
            for (offset, chunk) in pieces(octets, piece) {
                talk.at(CLIENT, offset, chunk);
            }
        });
    }
    for seconds in [2, 70] {
        let trick = tricks.stream(format!("an octet each {seconds} s"), Expect::Alerted, move |talk, octets| {
            for (offset, chunk) in pieces(octets, 1) {
                talk.at(CLIENT, offset, chunk);
                talk.bare(SERVER, tcp::ACK);
                talk.wait_ms(seconds * 1_000);
            }
        });
        trick.shows(of_the_session(language));
    }
    tricks.stream("with FIN", Expect::Alerted, |talk, octets| talk.flagged(CLIENT, DATA | tcp::FIN, 0, octets));
    tricks.stream("with URG", Expect::Alerted, |talk, octets| talk.flagged(CLIENT, DATA | 0x20, 0, octets));
    tricks.stream("without PSH", Expect::Alerted, |talk, octets| talk.flagged(CLIENT, tcp::ACK, 0, octets));
    for reads in [1, 2, 5, 20, 100, 200] {
        for last in [true, false] {
            let name = format!("pipelined with {reads} reads, {}", if last { "last" } else { "first" });
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                let mut octets = Vec::new();
                if !last {
                    octets.extend(talk.request(deed));
                }
                for _ in 0..reads {
                    octets.extend(talk.read());
                }
                if last {
                    octets.extend(talk.request(deed));
                }
                talk.says(CLIENT, &octets);
            });
            // More than 64 requests wait for their responses.
            if reads > 64 {
                trick.shows(&["capture_limit"]);
            }
            // So many at once are sent by no master that waits for its answers.
            if reads > 12 {
                trick.shows(of_the_session(language)).shows(&["request_flood"]);
            }
        }
    }
}

fn order(tricks: &mut Tricks) {
    let language = tricks.1;
    // So many pieces of reads and, among them, the request; given in another order.
    let scrambled = |talk: &mut Talk, deed: &Deed, window: usize, seed: u64| {
        let mut octets = Vec::new();
        let place = if seed.is_multiple_of(2) { 0 } else { window * 2 };
        while octets.len() < place {
            octets.extend(talk.read());
        }
        octets.extend(talk.request(deed));
        while octets.len() < window * 4 {
            octets.extend(talk.read());
        }
        let piece = octets.len().div_ceil(window);
        let mut order = pieces(&octets, piece);
        if seed < 2 {
            order.reverse()
        } else {
            order = shuffled(order, seed)
        }
        for (offset, chunk) in order {
            talk.at(CLIENT, offset, chunk);
        }
        talk.moves(CLIENT, octets.len());
    };
    for window in [1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64] {
        for seed in 0..4 {
            let name = format!("reordered among {window}, seed {seed}");
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| scrambled(talk, deed, window, seed));
            if window > 32 {
                trick.shows(of_the_session(language)).shows(&["request_flood"]);
            }
        }
    }
    for window in [66, 80, 128, 250] {
        for seed in 0..4 {
            let name = format!("reordered among {window}, more than is held, seed {seed}");
            let trick = tricks.add(name, Expect::Told, move |talk, deed| scrambled(talk, deed, window, seed));
            trick.shows(&["capture_limit", "request_flood"]).shows(of_the_session(language));
        }
    }
    for milliseconds in [5, 200, 900, 1_500, 5_000] {
        for first in [1, 6, 8] {
            let name = format!("first {first} octets {milliseconds} ms after the others");
            let expect = if milliseconds < 1_000 { Expect::Alerted } else { Expect::Told };
            tricks.stream(name, expect, move |talk, octets| {
                talk.at(CLIENT, first as i64, &octets[first..]);
                talk.bare(SERVER, tcp::ACK);
                talk.wait_ms(milliseconds);
                talk.bare(SERVER, tcp::ACK);
                talk.at(CLIENT, 0, &octets[..first]);
            });
        }
    }
}

fn overlaps(tricks: &mut Tricks) {
    tricks.stream("sent twice", Expect::Alerted, |talk, octets| {
        talk.at(CLIENT, 0, octets);
        talk.at(CLIENT, 0, octets);
    });
    tricks.stream("sent again after a second", Expect::Alerted, |talk, octets| {
        talk.at(CLIENT, 0, octets);
        talk.wait_ms(1_100);
        talk.at(CLIENT, 0, octets);
    });
    tricks.add("behind a retransmission", Expect::Alerted, |talk, deed| {
        let read = talk.read();
        talk.says(CLIENT, &read);
        talk.at(CLIENT, -(read.len() as i64), &read);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("appended to a retransmission", Expect::Alerted, |talk, deed| {
        let mut read = talk.read();
        talk.says(CLIENT, &read);
        let back = read.len() as i64;
        let octets = talk.request(deed);
        read.extend(&octets);
        talk.at(CLIENT, -back, &read);
        talk.moves(CLIENT, octets.len());
    });
    for cut in [1, 4, 7, 8, 11] {
        tricks.stream(format!("first {cut} octets, then all"), Expect::Alerted, move |talk, octets| {
            talk.at(CLIENT, 0, &octets[..cut]);
            talk.at(CLIENT, 0, octets);
        });
        tricks.stream(format!("overlapping from octet {cut} back"), Expect::Alerted, move |talk, octets| {
            talk.at(CLIENT, 0, &octets[..cut]);
            talk.at(CLIENT, cut as i64 / 2, &octets[cut / 2..]);
        });
        tricks.stream(format!("early and overlapping from octet {cut}"), Expect::Alerted, move |talk, octets| {
            talk.at(CLIENT, cut as i64, &octets[cut..]);
            talk.at(CLIENT, cut as i64 - 1, &octets[cut - 1..]);
            talk.at(CLIENT, 0, &octets[..octets.len() - 1]);
        });
    }
    for garbage in [0, 1] {
        tricks.stream(format!("behind a keep-alive of {garbage} octets"), Expect::Alerted, move |talk, octets| {
            talk.flagged(CLIENT, tcp::ACK, -1, &vec![0; garbage]);
            talk.bare(SERVER, tcp::ACK);
            talk.at(CLIENT, 0, octets);
        });
        for cut in [1, 6, 8] {
            let name = format!("keep-alive of {garbage} octets after the first {cut}");
            let trick = tricks.stream(name, Expect::Alerted, move |talk, octets| {
                talk.at(CLIENT, 0, &octets[..cut]);
                talk.moves(CLIENT, cut);
                talk.bare(SERVER, tcp::ACK);
                talk.flagged(CLIENT, tcp::ACK, -1, &vec![0; garbage]);
                talk.bare(SERVER, tcp::ACK);
                talk.at(CLIENT, 0, &octets[cut..]);
                talk.next[CLIENT] = talk.next[CLIENT].wrapping_sub(cut as u32);
            });
            // Where nobody is seen to acknowledge, the octet might be meant.
            if garbage > 0 {
                trick.shows(&["stream_conflict"]);
            }
        }
    }
    for before in [1, 2, 3, 6, 7, 8, 11, 12, 13] {
        for piece in [1, 5, 260] {
            let name = format!("sequence numbers wrap {before} octets behind its start, pieces of {piece}");
            let trick = tricks.stream(name, Expect::Alerted, move |talk, octets| {
                talk.next[CLIENT] = 0_u32.wrapping_sub(before + 1);
                talk.opens();
                for (offset, chunk) in pieces(octets, piece) {
                    talk.at(CLIENT, offset, chunk);
                }
            });
            trick.opens_itself();
        }
    }
}

fn conflicts(tricks: &mut Tricks) {
    const SHOWS: &[&str] = &["stream_conflict"];
    tricks.stream("after a decoy", Expect::Told, |talk, octets| {
        talk.at(CLIENT, 0, &talk.decoy(octets));
        talk.at(CLIENT, 0, octets);
    });
    tricks.stream("before a decoy", Expect::Told, |talk, octets| {
        talk.at(CLIENT, 0, octets);
        talk.at(CLIENT, 0, &talk.decoy(octets));
    });
    for cut in [1, 7, 8, 9, 11] {
        tricks.stream(format!("after {cut} octets of a decoy"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, 0, &talk.decoy(octets)[..cut]);
            talk.at(CLIENT, 0, octets);
        });
        tricks.stream(format!("after a decoy from octet {cut}, early"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, cut as i64, &talk.decoy(octets)[cut..]);
            talk.at(CLIENT, cut as i64, &octets[cut..]);
            talk.at(CLIENT, 0, &octets[..cut]);
        });
        tricks.stream(format!("before a decoy from octet {cut}, early"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, cut as i64, &octets[cut..]);
            talk.at(CLIENT, cut as i64, &talk.decoy(octets)[cut..]);
            talk.at(CLIENT, 0, &octets[..cut]);
        });
        tricks.stream(format!("after a longer decoy from octet {cut}, early"), Expect::Told, move |talk, octets| {
            let mut longer = talk.decoy(octets);
            longer.extend(talk.decoy(octets));
            talk.at(CLIENT, cut as i64, &longer[cut..]);
            talk.at(CLIENT, cut as i64 - 1, &octets[cut - 1..]);
            talk.at(CLIENT, 0, &octets[..cut]);
        });
        tricks.stream(
            format!("beside an early decoy that starts after octet {cut}"),
            Expect::Told,
            move |talk, octets| {
                talk.at(CLIENT, cut as i64, &talk.decoy(octets)[cut..]);
                talk.at(CLIENT, 1, &octets[1..]);
                talk.at(CLIENT, 0, &octets[..1]);
            },
        );
    }
    for piece in [1, 2, 3] {
        tricks.stream(format!("each {piece} octets after those of a decoy"), Expect::Told, move |talk, octets| {
            let decoy = talk.decoy(octets);
            for ((offset, real), (_, false_one)) in pieces(octets, piece).into_iter().zip(pieces(&decoy, piece)) {
                talk.at(CLIENT, offset, false_one);
                talk.at(CLIENT, offset, real);
            }
        });
        tricks.stream(format!("a decoy, then {piece} octets at a time"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, 0, &talk.decoy(octets));
            for (offset, real) in pieces(octets, piece) {
                talk.at(CLIENT, offset, real);
            }
        });
    }
    // A decoy, much that follows it and that nobody acknowledges, and only then the truth.
    for reads in [1, 10, 50, 80, 90, 300] {
        let trick =
            tricks.stream(format!("after a decoy and {reads} reads more"), Expect::Told, move |talk, octets| {
                let start = talk.next[CLIENT];
                talk.says(CLIENT, &talk.decoy(octets));
                for _ in 0..reads {
                    let read = talk.read();
                    talk.says(CLIENT, &read);
                }
                let end = talk.next[CLIENT];
                talk.next[CLIENT] = start;
                talk.at(CLIENT, 0, octets);
                talk.next[CLIENT] = end.wrapping_sub(octets.len() as u32);
            });
        trick.shows(&["stream_conflict", "capture_limit"]);
        if reads > 1 {
            trick.shows(&["request_flood"]);
        }
    }
    // Nobody can tell what a decoy is that speaks no protocol at all.
    for port in [tricks.1.home(), 5020] {
        for silent in [false, true] {
            let name = format!("port {port}, after a decoy of HTTP{}", if silent { ", alone" } else { "" });
            let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
                talk.ends[SERVER].port = port;
                talk.opens();
                if !silent {
                    talk.polls(1);
                }
                talk.at(CLIENT, 0, &b"GET / HTTP/1.1\r\nHost: plc"[..octets.len().min(20)]);
                talk.at(CLIENT, 0, octets);
            });
            let shows = &["stream_conflict", "protocol_unexpected_port", "protocol_malformed", "conversation_new"];
            trick.opens_itself().shows(shows);
        }
    }
    let language = tricks.1;
    let first = tricks.0.iter().position(|trick| trick.name == "after a decoy").expect("it was added above");
    for trick in &mut tricks.0[first..] {
        if trick.shows.is_empty() {
            trick.shows(SHOWS);
        }
        trick.shows(of_the_session(language));
    }
}

fn signs(tricks: &mut Tricks) {
    let language = tricks.1;
    for (sign, flags) in [("RST", tcp::RST), ("RST and ACK", tcp::RST | tcp::ACK), ("FIN", tcp::FIN | tcp::ACK)] {
        for side in [CLIENT, SERVER] {
            // At 0 it is the exact number, and a low hop count or a wrong checksum keeps it from the host.
            for offset in [0, 1, -1, 1_000, -1_000, 100_000, 10_000_000, 1 << 31] {
                for seconds in [0, 15] {
                    let whose = ["client's", "server's"][side];
                    let name = format!("after the {whose} {sign} at {offset}, {seconds} s");
                    tricks.stream(name, Expect::Alerted, move |talk, octets| {
                        talk.flagged(side, flags, offset, &[]);
                        talk.wait_ms(seconds * 1_000);
                        talk.at(CLIENT, 0, octets);
                    });
                }
            }
        }
    }
    tricks.stream("after FINs of both that no host saw", Expect::Alerted, |talk, octets| {
        talk.flagged(CLIENT, tcp::FIN | tcp::ACK, 0, &[]);
        talk.flagged(SERVER, tcp::FIN | tcp::ACK, 0, &[]);
        talk.at(CLIENT, 0, octets);
    });
    for offset in [1, 5_000, -5_000, 1 << 30, -(1 << 30), 1 << 31] {
        tricks.stream(format!("after a SYN at {offset}"), Expect::Alerted, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.at(CLIENT, 0, octets);
        });
        let name = format!("after a SYN at {offset} that is answered");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.flagged(SERVER, tcp::SYN | tcp::ACK, 70_000, &[]);
            talk.at(CLIENT, 0, octets);
        });
        trick.shows(&["stream_conflict"]);
        // The sensor is led to believe in another connection.
        let name = format!("after a SYN at {offset} and a decoy there");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.at(CLIENT, offset + 1, &talk.decoy(octets));
            talk.at(CLIENT, 0, octets);
        });
        // One octet beside the stream, the decoy shifts what is read.
        trick.shows(&["stream_conflict", "protocol_malformed"]).shows(of_the_session(language));
        let name = format!("after an answered SYN at {offset} and a decoy there");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.flagged(SERVER, tcp::SYN | tcp::ACK, 70_000, &[]);
            talk.flagged(CLIENT, tcp::ACK, offset + 1, &[]);
            talk.at(CLIENT, offset + 1, &talk.decoy(octets));
            talk.at(CLIENT, 0, octets);
        });
        // One octet beside the stream, the decoy shifts what is read.
        trick.shows(&["stream_conflict", "protocol_malformed", "request_flood"]).shows(of_the_session(language));
    }
    for lost in [1, 12, 600, 60_000, 20_000_000] {
        for acknowledged in [false, true] {
            let name = format!("after {lost} lost octets{}", if acknowledged { ", acknowledged" } else { "" });
            tricks.stream(name, Expect::Alerted, move |talk, octets| {
                talk.moves(CLIENT, lost);
                talk.at(CLIENT, 0, octets);
                if acknowledged {
                    talk.moves(CLIENT, octets.len());
                    talk.bare(SERVER, tcp::ACK);
                    talk.wait_ms(30);
                    talk.bare(SERVER, tcp::ACK);
                    talk.next[CLIENT] = talk.next[CLIENT].wrapping_sub(octets.len() as u32);
                }
            });
        }
    }
    for seen in [1, 6, 7, 8, 11] {
        tricks.add(format!("after a read of which {seen} octets were seen"), Expect::Alerted, move |talk, deed| {
            let read = talk.read();
            talk.at(CLIENT, 0, &read[..seen]);
            talk.moves(CLIENT, read.len());
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
    }
    tricks.add("after a response that was lost", Expect::Alerted, |talk, deed| {
        let read = talk.read();
        talk.says(CLIENT, &read);
        let lost = talk.response(&talk.language.usual_read());
        talk.moves(SERVER, lost.len());
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    for snap in [54, 58, 60, 61] {
        tricks.add(format!("after frames cut to {snap} octets"), Expect::Alerted, move |talk, deed| {
            let before = talk.sent.len();
            talk.polls(3);
            for sent in &mut talk.sent[before..] {
                sent.wire_octets = Some(sent.octets.len());
                sent.octets.truncate(snap);
            }
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
    }
}

fn openings(tricks: &mut Tricks) {
    tricks.add("nothing before it", Expect::Alerted, |talk, deed| {
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("SYN only before it", Expect::Alerted, |talk, deed| {
        talk.bare(CLIENT, tcp::SYN);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("SYN and ACK only before it", Expect::Alerted, |talk, deed| {
        talk.bare(SERVER, tcp::SYN | tcp::ACK);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("polls only before it", Expect::Alerted, |talk, deed| {
        talk.polls(3);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("responses only before it", Expect::Alerted, |talk, deed| {
        talk.read();
        talk.answers(&talk.language.usual_read());
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    for tail in [1, 4, 5, 6, 11] {
        let name = format!("the last {tail} octets of a read before it");
        let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
            let mut octets = talk.read();
            octets.drain(..octets.len() - tail);
            octets.extend(talk.request(deed));
            talk.says(CLIENT, &octets);
        });
        trick.needs_answer();
    }
    tricks.add("both ends open", Expect::Alerted, |talk, deed| {
        talk.bare(CLIENT, tcp::SYN);
        talk.bare(SERVER, tcp::SYN);
        talk.flagged(CLIENT, tcp::SYN | tcp::ACK, -1, &[]);
        talk.flagged(SERVER, tcp::SYN | tcp::ACK, -1, &[]);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("in the SYN", Expect::Alerted, |talk, deed| {
        let octets = talk.request(deed);
        talk.flagged(CLIENT, tcp::SYN, 0, &octets);
        talk.moves(CLIENT, 1 + octets.len());
        talk.bare(SERVER, tcp::SYN | tcp::ACK);
        talk.bare(CLIENT, tcp::ACK);
    });
    for offset in [1, 5_000, -5_000, 1 << 30, -(1 << 30)] {
        for decoy_first in [true, false] {
            let name = format!("a second SYN at {offset} {}", if decoy_first { "before" } else { "after" });
            tricks.add(name, Expect::Alerted, move |talk, deed| {
                if decoy_first {
                    talk.flagged(CLIENT, tcp::SYN, offset, &[]);
                }
                talk.flagged(CLIENT, tcp::SYN, 0, &[]);
                if !decoy_first {
                    talk.flagged(CLIENT, tcp::SYN, offset, &[]);
                }
                talk.moves(CLIENT, 1);
                talk.bare(SERVER, tcp::SYN | tcp::ACK);
                talk.bare(CLIENT, tcp::ACK);
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            });
        }
        let trick = tricks.add(format!("a second SYN and ACK at {offset}"), Expect::Alerted, move |talk, deed| {
            talk.bare(CLIENT, tcp::SYN);
            talk.flagged(SERVER, tcp::SYN | tcp::ACK, offset, &[]);
            talk.bare(SERVER, tcp::SYN | tcp::ACK);
            talk.bare(CLIENT, tcp::ACK);
            talk.polls(1);
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
        // The wrong one of two numbers shifts the responses, or hides them.
        trick.shows(&["protocol_malformed", "request_flood"]);
    }
    tricks.add("the same ports again", Expect::Alerted, |talk, deed| {
        talk.opens();
        talk.polls(2);
        talk.ends();
        talk.wait_ms(500);
        talk.next = [0x4444_0000, 0x0555_0000];
        talk.opens();
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("the same ports again, without a handshake", Expect::Alerted, |talk, deed| {
        talk.opens();
        talk.polls(2);
        talk.ends();
        talk.wait_ms(500);
        talk.next = [0x4444_0000, 0x0555_0000];
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    let first = tricks.0.iter().position(|trick| trick.name == "nothing before it").expect("it was added above");
    for trick in &mut tricks.0[first..] {
        trick.opens_itself();
    }
    // The controller calls, and is written to over its own connection.
    let trick = tricks.add("over the server's own connection", Expect::Alerted, |talk, deed| {
        talk.ends[CLIENT].port = 5020;
        talk.ends[SERVER].port = 49_200;
        talk.bare(SERVER, tcp::SYN);
        talk.bare(CLIENT, tcp::SYN | tcp::ACK);
        talk.bare(SERVER, tcp::ACK);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    trick.opens_itself().shows(&["protocol_unexpected_port", "conversation_new"]);
}

fn fragments(tricks: &mut Tricks) {
    let language = tricks.1;
    for piece in [8, 16, 24] {
        for (name, seed) in [("in order", 0), ("last first", 1), ("shuffled", 2), ("shuffled otherwise", 3)] {
            for twice in [false, true] {
                let twice_name = if twice { ", each twice" } else { "" };
                let name = format!("fragments of {piece}, {name}{twice_name}");
                tricks.stream(name, Expect::Alerted, move |talk, octets| {
                    let mut frames = talk.fragments(octets, piece);
                    match seed {
                        0 => {}
                        1 => frames.reverse(),
                        seed => frames = shuffled(frames, seed),
                    }
                    for frame in frames {
                        talk.put(frame.clone());
                        if twice {
                            talk.put(frame);
                        }
                    }
                });
            }
        }
    }
    for seconds in [1, 20, 45] {
        let expect = if seconds < 30 { Expect::Alerted } else { Expect::Told };
        // RFC 1122 3.3.2: a host waits for 60 to 120 seconds.
        let trick = tricks.stream(format!("fragments {seconds} s apart"), expect, move |talk, octets| {
            for (number, frame) in talk.fragments(octets, 16).into_iter().enumerate() {
                if number == 1 {
                    talk.wait_ms(seconds * 1_000);
                }
                talk.put(frame);
            }
        });
        trick.shows(of_the_session(language));
    }
    let overlapping = |talk: &mut Talk, octets: &[u8], decoy_first: bool, last_first: bool, piece: usize| {
        let real = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let false_one = talk.segment(CLIENT, DATA, talk.next[CLIENT], &talk.decoy(octets));
        talk.identification = talk.identification.wrapping_add(1);
        let identification = talk.identification;
        let mut frames = talk.fragments_of(&real, piece, identification);
        // The decoy stands in for the fragment that holds the function code.
        let at = (20 + talk.language.code_at()) / piece;
        let decoy = talk.fragments_of(&false_one, piece, identification).swap_remove(at);
        if decoy_first {
            frames.insert(at, decoy)
        } else {
            frames.insert(at + 1, decoy)
        }
        if last_first {
            frames.reverse();
        }
        for frame in frames {
            talk.put(frame);
        }
    };
    for piece in [8, 16, 24] {
        for decoy_first in [false, true] {
            for last_first in [false, true] {
                let name = format!("fragments of {piece} with a decoy, {decoy_first} {last_first}");
                let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
                    overlapping(talk, octets, decoy_first, last_first, piece);
                });
                // Fragments that come after their datagram is whole start one that never ends.
                trick.shows(&["fragment_conflict", "stream_conflict"]);
            }
        }
    }
    tricks.stream("fragments of 8 that overlap by 8, equal", Expect::Alerted, |talk, octets| {
        let narrow = talk.fragments(octets, 8);
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let wide = talk.fragments_of(&segment, 16, talk.identification);
        for frame in narrow.iter().skip(1).chain(&wide) {
            talk.put(frame.clone());
        }
    });
    for stale in [1, 2] {
        let name = format!("fragments under an identification of which {stale} pieces are left over");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            let false_one = talk.segment(CLIENT, DATA, talk.next[CLIENT], &talk.decoy(octets));
            let identification = talk.identification.wrapping_add(1);
            for frame in talk.fragments_of(&false_one, 8, identification).into_iter().rev().take(stale) {
                talk.put(frame);
            }
            talk.wait_ms(2_000);
            for frame in talk.fragments(octets, 8) {
                talk.put(frame);
            }
        });
        trick.shows(&["fragment_conflict", "stream_conflict"]);
    }
    let trick = tricks.add("IPv6 fragments", Expect::Alerted, |talk, deed| {
        let six = |host: u16| IpAddr::V6([0xfd00, 0, 0, 0, 0, 0, 0, host].into());
        talk.ends[CLIENT].host.address = six(5);
        talk.ends[SERVER].host.address = six(9);
        talk.opens();
        let octets = talk.request(deed);
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], &octets);
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (six(5), six(9)) else { panic!("they are IPv6") };
        talk.side = CLIENT;
        for packet in ip::v6_fragments(source, destination, ip::TCP, 77, &segment, 8).iter().rev() {
            let frame = ethernet::frame(PLC.mac, HMI.mac, ethernet::IPV6, packet);
            talk.put(frame);
        }
        talk.moves(CLIENT, octets.len());
    });
    trick.opens_itself().shows(&["asset_new", "conversation_new", "asset_address_conflict", "operation_new"]);
}

/// The IP packet of an Ethernet frame.
fn packet_of(frame: &[u8]) -> &[u8] {
    &frame[14..]
}

/// To whom and from whom an Ethernet frame is.
fn addresses_of(frame: &[u8]) -> (ethernet::Mac, ethernet::Mac) {
    let mac = |at: usize| frame[at..at + 6].try_into().expect("six octets");
    (mac(0), mac(6))
}

/// A frame with the addresses of another.
fn with_addresses_of(frame: &[u8], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let (to, from) = addresses_of(frame);
    ethernet::frame(to, from, ether_type, payload)
}

/// A frame between two switches that carries a tunnel's payload.
fn between_switches(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = ip::Header::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), protocol, 9);
    ethernet::frame([2, 9, 9, 9, 9, 2], [2, 9, 9, 9, 9, 1], ethernet::IPV4, &ip::v4(header, payload))
}

fn datagram_between_switches(port: u16, payload: &[u8]) -> Vec<u8> {
    let ends = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    between_switches(ip::UDP, &udp::datagram((IpAddr::V4(ends.0), 55_555), (IpAddr::V4(ends.1), port), payload))
}

fn wraps(tricks: &mut Tricks) {
    type Wrap = fn(Vec<u8>) -> Vec<u8>;
    let all: [(&str, Wrap); 18] = [
        ("a priority tag", |frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 0)])),
        ("a VLAN tag", |frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 7)])),
        ("two tags", |frame| ethernet::tagged(&frame, &[(ethernet::S_TAG, 100), (ethernet::C_TAG, 7)])),
        ("four tags", |frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 7); 4])),
        ("GRE with IP", |frame| between_switches(ip::GRE, &tunnel::gre(0x0800, None, None, packet_of(&frame)))),
        ("GRE with Ethernet", |frame| {
            between_switches(ip::GRE, &tunnel::gre(tunnel::TRANSPARENT_ETHERNET, Some(3), Some(4), &frame))
        }),
        ("ERSPAN II", |frame| between_switches(ip::GRE, &tunnel::erspan_2(1, 0, 5, 3, &frame))),
        ("ERSPAN III", |frame| between_switches(ip::GRE, &tunnel::erspan_3(1, 0, 5, 3, &frame))),
        ("VXLAN", |frame| datagram_between_switches(tunnel::VXLAN_PORT, &tunnel::vxlan(42, &frame))),
        ("Geneve", |frame| {
            let inner = tunnel::geneve(42, tunnel::TRANSPARENT_ETHERNET, &[0; 8], &frame);
            datagram_between_switches(tunnel::GENEVE_PORT, &inner)
        }),
        ("MPLS", |frame| {
            let inner = tunnel::mpls(&[16, 17], packet_of(&frame));
            with_addresses_of(&frame, ethernet::MPLS, &inner)
        }),
        ("PPPoE", |frame| {
            let inner = tunnel::pppoe(7, 0x0021, packet_of(&frame));
            with_addresses_of(&frame, ethernet::PPPOE_SESSION, &inner)
        }),
        ("IP in IP", |frame| between_switches(ip::IN_IP, packet_of(&frame))),
        ("SNAP", |frame| {
            // Without the padding, which a length field would count.
            let total = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
            let (to, from) = addresses_of(&frame);
            ethernet::padded(ethernet::snap(to, from, [0; 3], ethernet::IPV4, &frame[14..14 + total]))
        }),
        ("a PRP trailer", |frame| ethernet::with_prp_trailer(&frame, 9, 0xa)),
        ("an HSR tag", |frame| ethernet::with_hsr_tag(&frame, 9, 1)),
        ("VXLAN in GRE in a VLAN", |frame| {
            let vxlan = datagram_between_switches(tunnel::VXLAN_PORT, &tunnel::vxlan(42, &frame));
            let gre = between_switches(ip::GRE, &tunnel::gre(tunnel::TRANSPARENT_ETHERNET, None, None, &vxlan));
            ethernet::tagged(&gre, &[(ethernet::C_TAG, 9)])
        }),
        ("a frame check sequence", |mut frame| {
            frame.extend([0xde, 0xad, 0xbe, 0xef]);
            frame
        }),
    ];
    for (name, wrap) in all {
        let trick = tricks.add(format!("in {name}"), Expect::Alerted, move |talk, deed| {
            talk.wrap = Some(wrap);
            talk.opens();
            talk.polls(2);
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
        trick.opens_itself().shows(&["asset_new"]);
    }
    for piece in [8, 16] {
        let name = format!("as fragments of {piece} in VXLAN in fragments");
        let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
            talk.wrap = Some(|frame| datagram_between_switches(tunnel::VXLAN_PORT, &tunnel::vxlan(42, &frame)));
            talk.opens();
            talk.wrap = None;
            let octets = talk.request(deed);
            for (number, inner) in talk.fragments(&octets, piece).into_iter().enumerate() {
                let ends = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
                let (from, to) = ((IpAddr::V4(ends.0), 55_555), (IpAddr::V4(ends.1), tunnel::VXLAN_PORT));
                let datagram = udp::datagram(from, to, &tunnel::vxlan(42, &inner));
                let header = ip::Header::new(ends.0, ends.1, ip::UDP, 500 + number as u16);
                talk.side = CLIENT;
                for packet in ip::fragments(header, &datagram, 32).iter().rev() {
                    let frame = ethernet::frame([2, 9, 9, 9, 9, 2], [2, 9, 9, 9, 9, 1], ethernet::IPV4, packet);
                    talk.put(frame);
                }
            }
            talk.moves(CLIENT, octets.len());
        });
        trick.opens_itself().shows(&["asset_new"]);
    }
    tricks.stream("priority tag on one half", Expect::Alerted, |talk, octets| {
        talk.at(CLIENT, 0, &octets[..6]);
        talk.wrap = Some(|frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 0)]));
        talk.at(CLIENT, 6, &octets[6..]);
        talk.wrap = None;
    });
    tricks.stream("with IP options", Expect::Alerted, |talk, octets| {
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let mut frame = talk.packet(CLIENT, ip::TCP, &segment);
        // Header length 6 words, total length 4 more: four times "no operation".
        frame[14] = 0x46;
        let total = u16::from_be_bytes([frame[16], frame[17]]) + 4;
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame.splice(34..34, [1, 1, 1, 1]);
        talk.put(frame);
    });
    tricks.stream("with TCP options", Expect::Alerted, |talk, octets| {
        let (from, to) = (talk.ends[CLIENT], talk.ends[SERVER]);
        let header = tcp::Header {
            source_port: from.port,
            destination_port: to.port,
            sequence_number: talk.next[CLIENT],
            acknowledgement_number: talk.next[SERVER],
            flags: DATA,
            window: 512,
        };
        let options = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        let segment = tcp::segment(from.host.address, to.host.address, header, &options, octets);
        let frame = talk.packet(CLIENT, ip::TCP, &segment);
        talk.put(frame);
    });
}

fn places(tricks: &mut Tricks) {
    let home = tricks.1.home();
    for port in [80, 443, 503, 1_023, 1_502, 5_020, 8_502, 20_001, 40_000, 44_818, 65_535] {
        for handshake in [true, false] {
            let name = format!("at port {port}{}", if handshake { "" } else { ", without a handshake" });
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                talk.ends[SERVER].port = port;
                if handshake {
                    talk.opens();
                }
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            });
            trick.opens_itself().shows(ELSEWHERE);
        }
    }
    for port in [20, home, home + 1, 1_024, 5_020] {
        for handshake in [true, false] {
            let name = format!("from port {port}{}", if handshake { "" } else { ", without a handshake" });
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                talk.ends[CLIENT].port = port;
                if handshake {
                    talk.opens();
                }
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            });
            trick.opens_itself();
        }
    }
    let trick =
        tricks.add("from its own port to port 40000, without a handshake", Expect::Alerted, move |talk, deed| {
            talk.ends[CLIENT].port = home;
            talk.ends[SERVER].port = 40_000;
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
    trick.opens_itself().shows(ELSEWHERE);
}

/// By UDP, at its own port and elsewhere.
pub fn datagrams(tricks: &mut Tricks) {
    for port in [tricks.1.home(), 5_020] {
        let trick = tricks.add(format!("by UDP at port {port}"), Expect::Alerted, move |talk, deed| {
            let octets = talk.request(deed);
            let (from, to) = (talk.ends[CLIENT], talk.ends[SERVER]);
            let datagram = udp::datagram((from.host.address, from.port), (to.host.address, port), &octets);
            let frame = talk.packet(CLIENT, ip::UDP, &datagram);
            talk.put(frame);
            // Elsewhere, what follows on TCP belongs to nothing.
            talk.opens();
        });
        trick.opens_itself().shows(ELSEWHERE);
    }
}

/// What speaks another language first.
pub fn strangers(tricks: &mut Tricks) {
    for segments in [1, 3, 16, 20] {
        let name = format!("behind {segments} segments of HTTP");
        let trick = tricks.add(name, Expect::Told, move |talk, deed| {
            for _ in 0..segments {
                talk.says(CLIENT, b"GET /index.html HTTP/1.1\r\nHost: plc\r\n\r\n");
                talk.bare(SERVER, tcp::ACK);
            }
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
        trick.shows(&["protocol_malformed", "protocol_unexpected_port"]);
    }
}
