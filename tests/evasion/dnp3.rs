//! DNP3: what is commanded and read, and the tricks of link frames, transport segments, fragments and objects.

use crate::talk::{Deed, Talk};
use crate::tricks::{ELSEWHERE, Expect, Trick, Tricks};
use crate::{CLIENT, PLANTED, SERVER, START_NS};
use fixtures::wire::dnp3::{self, ControlRelayOutputBlock, FIN, FIR, Link, ONLINE, Session, function};
use fixtures::wire::{ip, udp};

const MASTER: u16 = 1;
const OUTSTATION: u16 = 10;
const LATCH_ON: ControlRelayOutputBlock = ControlRelayOutputBlock::new(0x03);

/// What broken frames and stray segments show.
const BROKEN: &[&str] = &["protocol_malformed", "session_irregular", "protocol_unexpected_port"];

/// Of the plant's master and outstation.
pub fn session() -> Session {
    Session::new(MASTER, OUTSTATION)
}

fn analogs(count: u8) -> Vec<u8> {
    let values: Vec<u8> = (0..i32::from(count)).flat_map(|n| dnp3::flagged(ONLINE, &(200 + n).to_le_bytes())).collect();
    dnp3::range8(30, 1, 0, count - 1, &values)
}

/// A read that the baseline knows.
pub fn usual_read() -> Deed {
    let request = [vec![function::READ], dnp3::range8(30, 0, 0, 9, &[])].concat();
    Deed::new("read", function::READ.into(), vec![request], vec![analogs(10)])
}

/// Usual headers of a request to read, of so many octets in all; of 1, 2, 4 and 7 octets there are none.
fn usual_headers(octets: usize) -> Vec<u8> {
    let threes = (0..=octets / 3).find(|threes| (octets - threes * 3).is_multiple_of(5));
    let Some(threes) = threes else { return Vec::new() };
    let mut headers = dnp3::all(60, 1).repeat(threes);
    headers.extend(dnp3::range8(30, 0, 0, 4, &[]).repeat((octets - threes * 3) / 5));
    headers
}

/// A usual read for each frame, with its addresses and numbers.
pub fn decoy(octets: &[u8]) -> Vec<u8> {
    let frames = frames_of(octets);
    let decoys = frames.iter().map(|frame| {
        let command = Command::of(frame);
        let headers = usual_headers(command.fragment.len() - 2);
        let function = if headers.is_empty() { function::DELAY_MEASURE } else { function::READ };
        command.frame(&[&[command.fragment[0], function][..], &headers].concat())
    });
    decoys.flatten().collect()
}

/// What the baseline does not know: outputs by every function that operates them, settings, and the outstation itself.
pub fn commands() -> Vec<Deed> {
    let block = LATCH_ON.at(PLANTED);
    let request = |code: u8, objects: &[u8]| [&[code], objects].concat();
    let command = |name, code: u8, objects: &[u8]| {
        Deed::new(name, code.into(), vec![request(code, objects)], vec![objects.to_vec()])
    };
    let selected = Deed {
        requests: vec![request(function::SELECT, &block), request(function::OPERATE, &block)],
        responses: vec![block.clone(), block.clone()],
        ..command("select_operate", function::OPERATE, &block)
    };
    let output = dnp3::indexed16(41, 3, &[(PLANTED.into(), dnp3::analog_output(&66.5_f32.to_le_bytes(), 0))]);
    let silent = Deed {
        responses: Vec::new(),
        ..command("direct_operate_no_response", function::DIRECT_OPERATE_NO_RESPONSE, &block)
    };
    let dead_band = dnp3::range16(34, 1, PLANTED, PLANTED, &666_u16.to_le_bytes());
    let write = Deed { responses: vec![Vec::new()], ..command("write_dead_band", function::WRITE, &dead_band) };
    let delay = dnp3::count(52, 2, 1, 1, &500_u16.to_le_bytes());
    let restart = Deed { responses: vec![delay], ..command("cold_restart", function::COLD_RESTART, &[]) };
    let classes = dnp3::classes(&[1, 2, 3]).concat();
    let silence = command("disable_unsolicited", function::DISABLE_UNSOLICITED, &classes);
    vec![
        command("direct_operate", function::DIRECT_OPERATE, &block),
        selected,
        command("analog_output", function::DIRECT_OPERATE, &output),
        silent,
        write,
        restart.of_the_device(),
        Deed { responses: vec![Vec::new()], ..silence }.of_the_device(),
    ]
}

/// Ten seconds of usual work over one conversation.
pub fn usual_work(talk: &mut Talk) {
    let read = |name, objects: Vec<u8>, response: Vec<u8>| {
        let request = [vec![function::READ], objects].concat();
        Deed::new(name, function::READ.into(), vec![request], vec![response])
    };
    let operate = [vec![function::DIRECT_OPERATE], LATCH_ON.at(5)].concat();
    let operate = Deed::new("usual", function::DIRECT_OPERATE.into(), vec![operate], vec![LATCH_ON.at(5)]);
    let delay = vec![vec![function::DELAY_MEASURE]];
    let measured = vec![dnp3::count(52, 2, 1, 1, &2_u16.to_le_bytes())];
    for second in 1..=10_u64 {
        talk.now_ns = START_NS + second * 1_000_000_000;
        talk.does(&usual_read());
        talk.does(&read("fewer", dnp3::range8(30, 0, 0, 4, &[]), analogs(5)));
        if second == 1 {
            talk.does(&read("class 0", dnp3::all(60, 1), analogs(10)));
            talk.does(&Deed::new("delay", function::DELAY_MEASURE.into(), delay.clone(), measured.clone()));
        }
        if second % 5 == 0 {
            talk.does(&operate);
        }
    }
}

/// The link frames of some octets.
fn frames_of(octets: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), octets);
    while let [_, _, length, ..] = rest {
        let user = usize::from(*length) - 5;
        let (frame, behind) = rest.split_at(10 + user + user.div_ceil(16) * 2);
        frames.push(frame.to_vec());
        rest = behind;
    }
    frames
}

/// A fragment of one frame, taken apart.
struct Command {
    link: Link,
    sequence: u8,
    fragment: Vec<u8>,
}

impl Command {
    fn of(frame: &[u8]) -> Self {
        let address = |at: usize| u16::from_le_bytes([frame[at], frame[at + 1]]);
        let user: Vec<u8> = frame[10..].chunks(18).flat_map(|block| &block[..block.len() - 2]).copied().collect();
        let link = Link { control: frame[3], destination: address(4), source: address(6) };
        Self { link, sequence: user[0] & 0x3f, fragment: user[1..].to_vec() }
    }

    /// Another fragment in a frame like this one.
    fn frame(&self, fragment: &[u8]) -> Vec<u8> {
        self.linked(self.link, fragment)
    }

    fn linked(&self, link: Link, fragment: &[u8]) -> Vec<u8> {
        dnp3::frame(link, &dnp3::segment(true, true, self.sequence, fragment))
    }

    /// The fragment in two or more frames.
    fn pieces(&self, size: usize) -> Vec<Vec<u8>> {
        dnp3::frames(self.link, self.sequence, size, &self.fragment)
    }

    fn segment(&self, is_final: bool, is_first: bool, ahead: u8, piece: &[u8]) -> Vec<u8> {
        dnp3::frame(self.link, &dnp3::segment(is_final, is_first, self.sequence.wrapping_add(ahead), piece))
    }

    /// The fragment with these headers before its own.
    fn behind(&self, headers: &[u8]) -> Vec<u8> {
        [&self.fragment[..2], headers, &self.fragment[2..]].concat()
    }
}

/// A trick on the frame that commands: what is to be sent instead of it, each in a segment of its own.
fn framed(
    tricks: &mut Tricks,
    name: impl Into<String>,
    expect: Expect,
    make: impl Fn(&Command) -> Vec<Vec<u8>> + Sync + 'static,
) -> &mut Trick {
    tricks.add(name, expect, move |talk, deed| {
        let octets = talk.request(deed);
        let mut frames = frames_of(&octets);
        let last = frames.pop().expect("a deed has a request");
        frames.extend(make(&Command::of(&last)));
        for frame in frames {
            talk.says(CLIENT, &frame);
        }
    })
}

pub fn tricks(tricks: &mut Tricks) {
    link(tricks);
    transport(tricks);
    addresses(tricks);
    application(tricks);
    objects(tricks);
    datagrams(tricks);
}

fn link(tricks: &mut Tricks) {
    // A frame that every station drops, before and behind the command, of which it is a copy or a usual read.
    for block in 0..3 {
        for is_copy in [true, false] {
            for before in [true, false] {
                for together in [true, false] {
                    let what = if is_copy { "a copy" } else { "a read" };
                    let place = if before { "behind" } else { "before" };
                    let name = format!("{place} {what} with CRC {block} wrong, together {together}");
                    let trick = framed(tricks, name, Expect::Alerted, move |command| {
                        let right = command.frame(&command.fragment);
                        let read = [&[command.fragment[0], function::READ][..], &usual_headers(20)].concat();
                        let mut wrong = if is_copy { right.clone() } else { command.frame(&read) };
                        let blocks = (wrong.len() - 10).div_ceil(18);
                        dnp3::spoil_crc(&mut wrong, block.min(blocks));
                        let both = if before { [wrong, right] } else { [right, wrong] };
                        if together { vec![both.concat()] } else { both.to_vec() }
                    });
                    trick.shows(BROKEN);
                }
            }
        }
    }
    for count in [1, 3, 20] {
        let trick = framed(tricks, format!("behind {count} damaged frames"), Expect::Alerted, move |command| {
            let mut wrong = command.frame(&command.fragment);
            let end = wrong.len() - 1;
            wrong[end] ^= 0x55;
            [vec![wrong; count], vec![command.frame(&command.fragment)]].concat()
        });
        trick.shows(BROKEN);
    }
    // What stands between frames belongs to none.
    let between: [(&str, &[u8]); 6] = [
        ("two start octets", &[0x05, 0x64]),
        ("one start octet", &[0x05]),
        ("a header without its CRC", &[0x05, 0x64, 5, 0xc9, 10, 0, 1, 0]),
        ("a header with a wrong length", &[0x05, 0x64, 4, 0xc9, 10, 0, 1, 0, 0, 0]),
        ("zeros", &[0; 7]),
        ("noise", &[0xff, 0x05, 0x05, 0x64, 0x64, 0x05]),
    ];
    for (what, octets) in between {
        for together in [true, false] {
            let name = format!("behind {what}, together {together}");
            let trick = framed(tricks, name, Expect::Told, move |command| {
                let both = [octets.to_vec(), command.frame(&command.fragment)];
                if together { vec![both.concat()] } else { both.to_vec() }
            });
            trick.shows(&["protocol_malformed", "session_irregular", "protocol_unexpected_port"]);
        }
    }
    for cut in [1_usize, 2, 5, 10, 14] {
        let trick =
            framed(tricks, format!("behind noise, cut {cut} octets into it"), Expect::Alerted, move |command| {
                let all = [vec![0xff; 6], command.frame(&command.fragment)].concat();
                vec![all[..6 + cut].to_vec(), all[6 + cut..].to_vec()]
            });
        trick.shows(BROKEN);
    }
    // A right header that claims more than follows: a station that waits for it for a while only, and one that looks
    // for start octets within what did not come to a frame, do the command.
    for claimed in [1_usize, 16, 17, 40, 100, 250] {
        let name = format!("within a frame that claims {claimed} octets");
        let trick = tricks.add(name, Expect::Told, move |talk, deed| {
            let octets = talk.request(deed);
            let mut frames = frames_of(&octets);
            let last = Command::of(&frames.pop().expect("a deed has a request"));
            frames.push([claim(last.link, claimed), last.frame(&last.fragment)].concat());
            for frame in frames {
                talk.says(CLIENT, &frame);
            }
            // As much as was claimed, and no more than a minute of polls.
            for _ in 0..20 {
                talk.wait_ms(1_000);
                talk.polls(1);
            }
        });
        trick.shows(&["protocol_malformed", "session_irregular"]);
    }
    // Link layer frames before it, as a master sends them.
    for (name, control) in [
        ("a link reset", dnp3::MASTER_RESET_LINK),
        ("a link status request", dnp3::MASTER_REQUEST_STATUS),
        ("a link test", 0xd2),
    ] {
        framed(tricks, format!("behind {name}"), Expect::Alerted, move |command| {
            vec![dnp3::frame(command.link.control(control), &[]), command.frame(&command.fragment)]
        });
        let trick = framed(tricks, format!("behind {name} with user data"), Expect::Alerted, move |command| {
            let link = command.link.control(control);
            vec![dnp3::frame(link, &[0xc0; 5]), command.frame(&command.fragment)]
        });
        trick.shows(BROKEN);
    }
    for (name, control) in [("confirmed, FCB 0", 0xd3), ("confirmed, FCB 1", 0xf3), ("confirmed, without FCV", 0xc3)] {
        framed(tricks, name, Expect::Alerted, move |command| {
            vec![command.linked(command.link.control(control), &command.fragment)]
        });
    }
    framed(tricks, "confirmed and sent again", Expect::Alerted, |command| {
        vec![command.linked(command.link.control(0xf3), &command.fragment); 2]
    });
    // Control octets that no master sends with user data: some stations read no more of them than they need.
    for control in [0x44, 0x43, 0x84, 0xe4, 0xd4, 0xf4, 0x04, 0xc5, 0xcf] {
        let name = format!("with link control {control:02x}");
        let trick = framed(tricks, name, Expect::Told, move |command| {
            vec![command.linked(command.link.control(control), &command.fragment)]
        });
        // What an outstation says turns the conversation round, where nothing else was said.
        trick.shows(BROKEN).shows(&["conversation_new", "operation_new", "request_flood"]);
    }
}

/// A frame's header and nothing of the user data that it claims.
fn claim(link: Link, user_octets: usize) -> Vec<u8> {
    let mut header = dnp3::frame_claiming(5 + user_octets as u8, link, &[]);
    header.truncate(10);
    header
}

fn transport(tricks: &mut Tricks) {
    for size in [1, 2, 3, 5, 8, 17] {
        for together in [true, false] {
            framed(tricks, format!("in segments of {size}, together {together}"), Expect::Alerted, move |command| {
                let pieces = command.pieces(size);
                if together { vec![pieces.concat()] } else { pieces }
            });
        }
        framed(tricks, format!("in segments of {size}, each twice"), Expect::Alerted, move |command| {
            command.pieces(size).into_iter().flat_map(|piece| [piece.clone(), piece]).collect()
        });
    }
    for sequence in [0, 1, 31, 62, 63] {
        framed(tricks, format!("in segments from sequence {sequence}"), Expect::Alerted, move |command| {
            dnp3::frames(command.link, sequence, 1, &command.fragment)
        });
    }
    // A station drops what it has when a number is not the next, and waits for a first segment: then nothing is done,
    // and that is told. One that passes over the wrong segment alone does the command.
    for ahead in [0_u8, 2, 5, 32, 63] {
        let trick = framed(tricks, format!("around a segment {ahead} ahead"), Expect::Told, move |command| {
            let pieces = command.pieces(1);
            let decoy = command.segment(false, false, ahead, &[0xaa; 4]);
            [vec![pieces[0].clone(), decoy], pieces[1..].to_vec()].concat()
        });
        trick.shows(&["session_irregular", "protocol_malformed"]);
    }
    // A first segment ends what was open.
    for whole in [true, false] {
        let trick = framed(
            tricks,
            format!("behind a first segment of a read, whole {whole}"),
            Expect::Alerted,
            move |command| {
                let read = [&[command.fragment[0], function::READ][..], &usual_headers(5)].concat();
                let first = command.segment(false, true, 0, &read);
                if whole {
                    vec![first, command.frame(&command.fragment)]
                } else {
                    [vec![first], command.pieces(1)].concat()
                }
            },
        );
        trick.shows(&["session_irregular"]);
    }
    let trick = framed(tricks, "twice begun, with another start", Expect::Alerted, |command| {
        let start = command.segment(false, true, 9, &[command.fragment[0], function::READ]);
        [vec![start], command.pieces(2)].concat()
    });
    trick.shows(&["session_irregular"]);
    for stray in [0x00, 0x80] {
        let trick = framed(tricks, format!("behind a stray segment {stray:02x}"), Expect::Alerted, move |command| {
            let stray = dnp3::frame(command.link, &[stray | 7, 1, 2, 3]);
            vec![stray, command.frame(&command.fragment)]
        });
        trick.shows(&["session_irregular", "protocol_malformed"]);
    }
    for octets in [0_usize, 1] {
        let trick = framed(tricks, format!("behind a fragment of {octets} octets"), Expect::Alerted, move |command| {
            vec![command.frame(&[0xc1][..octets]), command.frame(&command.fragment)]
        });
        trick.shows(&["protocol_malformed", "session_irregular"]);
    }
    // The fragments of others come between: of eight pairs at a time each is put together by itself.
    for others in [1_u16, 3, 7] {
        for size in [1, 2] {
            let name = format!("in segments of {size} among those of {others} other masters");
            let trick = framed(tricks, name, Expect::Alerted, move |command| {
                let read = [&[command.fragment[0], function::READ][..], &usual_headers(5)].concat();
                let mine = command.pieces(size);
                let mut all = Vec::new();
                for (number, piece) in mine.into_iter().enumerate() {
                    all.push(piece);
                    for other in 1..=others {
                        let link = Link::to_outstation(OUTSTATION, MASTER + other);
                        all.extend(dnp3::frames(link, 0, 1, &read).get(number).cloned());
                    }
                }
                all
            });
            // Masters that nobody knows, and nobody answers.
            trick.shows(&["operation_new", "session_irregular", "request_flood"]);
        }
    }
    for others in [8_u16, 9, 40] {
        let trick =
            framed(tricks, format!("among the beginnings of {others} other masters"), Expect::Told, move |command| {
                let pieces = command.pieces(1);
                let begun = (1..=others).map(|other| {
                    let link = Link::to_outstation(OUTSTATION, MASTER + other);
                    dnp3::frame(link, &dnp3::segment(false, true, 0, &[0xc0]))
                });
                [vec![pieces[0].clone()], begun.collect(), pieces[1..].to_vec()].concat()
            });
        trick.shows(&["operation_new", "session_irregular", "capture_limit"]);
    }
    // Longer than what every station takes: 2,048 octets.
    for headers in [64_usize, 300, 404, 405, 2_000] {
        let name = format!("behind {headers} headers in one fragment");
        let trick = framed(tricks, name, Expect::Told, move |command| {
            let long = command.behind(&dnp3::range8(30, 0, 0, 4, &[]).repeat(headers));
            dnp3::frames(command.link, command.sequence, dnp3::SEGMENT, &long)
        });
        trick.shows(&["session_irregular", "protocol_malformed", "operation_new"]);
    }
}

fn addresses(tricks: &mut Tricks) {
    let to = |destination: u16| {
        move |command: &Command| vec![command.linked(Link { destination, ..command.link }, &command.fragment)]
    };
    // Others than the conversation's.
    const OTHERS: &[&str] = &["operation_new", "session_irregular", "protocol_malformed", "conversation_new"];
    for destination in [0, 11, 0x0a00, 0xffef, 0xfff0, 0xfffb, 0xfffc, 0xfffd, 0xfffe, 0xffff] {
        let name = format!("to address {destination:04x}");
        framed(tricks, name, Expect::Alerted, to(destination)).shows(OTHERS);
    }
    for source in [0, 2, 0x0100, 0xffef, 0xfff0, 0xfffd, 0xffff] {
        let name = format!("from address {source:04x}");
        let trick = framed(tricks, name, Expect::Alerted, move |command| {
            vec![command.linked(Link { source, ..command.link }, &command.fragment)]
        });
        trick.shows(OTHERS);
    }
    let trick = framed(tricks, "from the outstation to itself", Expect::Alerted, |command| {
        vec![command.linked(Link { source: OUTSTATION, ..command.link }, &command.fragment)]
    });
    trick.shows(OTHERS);
}

fn application(tricks: &mut Tricks) {
    // Bits of the application control that a station may or may not heed.
    for (name, bits) in [
        ("without FIR", FIN),
        ("without FIN", FIR),
        ("without FIR and FIN", 0),
        ("with CON", FIR | FIN | dnp3::CON),
        ("with UNS", FIR | FIN | dnp3::UNS),
        ("with CON and UNS", FIR | FIN | dnp3::CON | dnp3::UNS),
    ] {
        framed(tricks, name, Expect::Alerted, move |command| {
            let mut fragment = command.fragment.clone();
            fragment[0] = fragment[0] & 0x0f | bits;
            vec![command.frame(&fragment)]
        });
    }
    for sequence in [0, 1, 7, 15] {
        framed(tricks, format!("with sequence {sequence}"), Expect::Alerted, move |command| {
            let mut fragment = command.fragment.clone();
            fragment[0] = FIR | FIN | sequence;
            vec![command.frame(&fragment)]
        });
    }
    // The number of a request that was answered: a station that takes it for a repeat answers and does nothing.
    framed(tricks, "with the number of the request before", Expect::Alerted, |command| {
        let mut fragment = command.fragment.clone();
        fragment[0] = FIR | FIN | (fragment[0] & 0x0f).wrapping_sub(1) & 0x0f;
        vec![command.frame(&fragment)]
    });
    for code in [function::CONFIRM, 34, 70, 120, 128, 131, 200, 255] {
        let trick = framed(tricks, format!("behind function code {code}"), Expect::Alerted, move |command| {
            vec![command.frame(&[command.fragment[0], code]), command.frame(&command.fragment)]
        });
        // Responses are an outstation's.
        trick.shows(&["protocol_malformed", "operation_new", "session_irregular", "request_flood"]);
    }
    let trick = tricks.add("behind a response", Expect::Alerted, |talk, deed| {
        let octets = talk.request(deed);
        let response = talk.response(&usual_read());
        talk.says(CLIENT, &response);
        talk.says(CLIENT, &octets);
    });
    // The conversation is turned round, until something else is said.
    trick.shows(&["operation_new", "conversation_new", "session_irregular", "request_flood"]).shows(ELSEWHERE);
    tricks.add("behind an unsolicited response of the outstation", Expect::Alerted, |talk, deed| {
        let crate::talk::Tongue::Dnp3(session) = &mut talk.tongue else { panic!("it is DNP3") };
        let told = session.unsolicited(dnp3::NO_INDICATION, &[]);
        let confirmed = session.confirm_unsolicited();
        talk.says(SERVER, &told);
        talk.says(CLIENT, &confirmed);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
}

fn objects(tricks: &mut Tricks) {
    // What stands before the objects that matter. Stations differ in what they make of headers of nothing and of
    // headers that they do not know, so that it is enough to say that there is something wrong.
    type Before = (&'static str, Expect, fn() -> Vec<u8>);
    let before: [Before; 16] = [
        ("no control block, 8 bits", Expect::Alerted, || dnp3::indexed8(12, 1, &[])),
        ("no control block, 16 bits", Expect::Alerted, || dnp3::indexed16(12, 1, &[])),
        ("no control block, 50 times", Expect::Alerted, || dnp3::indexed8(12, 1, &[]).repeat(50)),
        ("an object of no octets", Expect::Told, || dnp3::count(60, 1, 1, 255, &[])),
        ("65535 objects of no octets", Expect::Told, || dnp3::count(60, 1, 2, 65_535, &[])),
        ("4294967295 objects of no octets", Expect::Told, || dnp3::count(60, 1, 4, u32::MAX, &[])),
        ("a range that ends before it starts", Expect::Told, || dnp3::range8(12, 1, 9, 3, &[])),
        ("a range of all that there is", Expect::Told, || dnp3::range32(12, 1, 0, u32::MAX, &[])),
        ("all control blocks", Expect::Told, || dnp3::all(12, 1)),
        ("an unknown group", Expect::Told, || dnp3::all(200, 9)),
        ("an unknown variation", Expect::Told, || dnp3::indexed8(12, 99, &[])),
        ("a reserved qualifier", Expect::Told, || dnp3::object(12, 1, 0x7f, &[], &[])),
        ("an empty free format", Expect::Told, || dnp3::free_format(70, 2, &[])),
        ("a free format of nothing, 20 times", Expect::Told, || dnp3::free_format(70, 2, &vec![Vec::new(); 20])),
        ("group 0", Expect::Told, || dnp3::all(0, 0)),
        ("an authentication object", Expect::Told, || dnp3::free_format(120, 3, &[dnp3::authentic(1, 1, &[])])),
    ];
    for (name, expect, headers) in before {
        let trick = framed(tricks, format!("behind {name}"), expect, move |command| {
            dnp3::frames(command.link, command.sequence, dnp3::SEGMENT, &command.behind(&headers()))
        });
        // To read files is not usual.
        trick.shows(&["protocol_malformed", "operation_new", "controller_dangerous"]);
    }
    // What a station does before it comes to the last.
    for usual in [1_usize, 10, 63, 64, 65, 100] {
        for one_header in [true, false] {
            let name = format!("the last of {usual} control blocks, in one header {one_header}");
            let trick = framed(tricks, name, Expect::Alerted, move |command| {
                let code = command.fragment[1];
                let is_block = matches!(code, 3..=6) && command.fragment[2] == 12;
                if !is_block {
                    return vec![command.frame(&command.fragment)];
                }
                let known = (5, LATCH_ON.octets());
                let planted = (u32::from(PLANTED), LATCH_ON.octets());
                let objects = if one_header {
                    dnp3::indexed16(12, 1, &[vec![known; usual], vec![planted]].concat())
                } else {
                    [dnp3::indexed16(12, 1, &[known]).repeat(usual), dnp3::indexed16(12, 1, &[planted])].concat()
                };
                let long = [&command.fragment[..2], &objects].concat();
                dnp3::frames(command.link, command.sequence, dnp3::SEGMENT, &long)
            });
            trick.shows(&["operation_new"]);
        }
    }
    for (name, more) in
        [("an octet", vec![0]), ("half a header", vec![12, 1]), ("a header of nothing", vec![12, 1, 7, 0])]
    {
        let trick = framed(tricks, format!("before {name}"), Expect::Told, move |command| {
            vec![command.frame(&[&command.fragment[..], &more].concat())]
        });
        trick.shows(&["protocol_malformed", "operation_new"]);
    }
}

fn datagrams(tricks: &mut Tricks) {
    const SHOWS: &[&str] = &[ELSEWHERE[0], ELSEWHERE[1], ELSEWHERE[2], BROKEN[0], BROKEN[1]];
    // A datagram holds whole frames: several of one fragment, and one behind what no station reads.
    type Datagram = (&'static str, fn(&Command) -> Vec<Vec<u8>>);
    let all: [Datagram; 4] = [
        ("in segments", |command| vec![command.pieces(2).concat()]),
        ("a segment each", |command| command.pieces(2)),
        ("behind a damaged frame", |command| {
            let mut wrong = command.frame(&command.fragment);
            dnp3::spoil_crc(&mut wrong, 1);
            vec![[wrong, command.frame(&command.fragment)].concat()]
        }),
        ("behind a link reset", |command| {
            let reset = dnp3::frame(command.link.control(dnp3::MASTER_RESET_LINK), &[]);
            vec![[reset, command.frame(&command.fragment)].concat()]
        }),
    ];
    for (name, make) in all {
        for port in [20_000, 5_020] {
            let trick = tricks.add(format!("by UDP at port {port}, {name}"), Expect::Alerted, move |talk, deed| {
                let octets = talk.request(deed);
                let mut frames = frames_of(&octets);
                let last = frames.pop().expect("a deed has a request");
                frames.extend(make(&Command::of(&last)));
                for octets in frames {
                    let (from, to) = (talk.ends[CLIENT], talk.ends[SERVER]);
                    let datagram = udp::datagram((from.host.address, from.port), (to.host.address, port), &octets);
                    let frame = talk.packet(CLIENT, ip::UDP, &datagram);
                    talk.put(frame);
                }
                talk.opens();
            });
            trick.opens_itself().shows(SHOWS);
        }
    }
}
