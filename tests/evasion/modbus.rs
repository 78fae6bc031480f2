//! Modbus: what is written and read, and the tricks of its own.

use crate::talk::{Deed, Talk, Tongue};
use crate::tricks::{ELSEWHERE, Expect, Tricks, pieces};
use crate::{CLIENT, PLANTED, SERVER, START_NS};
use fixtures::wire::modbus;

/// Transaction identifiers, or a serial line's frames instead.
#[derive(Clone, Default)]
pub struct Session {
    transaction_identifier: u16,
    /// Frames as on a serial line.
    pub rtu: bool,
}

impl Session {
    pub fn request(&mut self, unit: u8, pdu: &[u8]) -> Vec<u8> {
        self.transaction_identifier = self.transaction_identifier.wrapping_add(1);
        self.response(unit, pdu)
    }

    /// With the number of the latest request.
    pub fn response(&self, unit: u8, pdu: &[u8]) -> Vec<u8> {
        if self.rtu { modbus::rtu(unit, pdu) } else { modbus::tcp(self.transaction_identifier, unit, pdu) }
    }
}

/// A read that the baseline knows.
pub fn usual_read() -> Deed {
    let values = [200, 210, 50, 480, 12, 0, 1, 0, 0, 34];
    Deed::new("read", 3, vec![modbus::read(3, 40, 10)], vec![modbus::registers(3, &values)])
}

/// Another usual read, with the transaction identifier of some octets.
pub fn decoy(octets: &[u8]) -> Vec<u8> {
    modbus::tcp(u16::from_be_bytes([octets[0], octets[1]]), 1, &modbus::read(3, 40, 8))
}

/// Writes that the baseline does not know, by every function that writes.
pub fn writes() -> Vec<Deed> {
    let write = |name, request: Vec<u8>, response| Deed::new(name, request[0].into(), vec![request], vec![response]);
    let coil = modbus::write_single_coil(PLANTED, true);
    let register = modbus::write_single_register(PLANTED, 6666);
    let mask = modbus::mask_write_register(PLANTED, 0xfff0, 6);
    vec![
        write("write_single_register", register.clone(), register),
        write("write_single_coil", coil.clone(), coil),
        write(
            "write_multiple_registers",
            modbus::write_multiple_registers(PLANTED, &[6666, 7777]),
            modbus::written(16, PLANTED, 2),
        ),
        write(
            "write_multiple_coils",
            modbus::write_multiple_coils(PLANTED, &[true, false, true]),
            modbus::written(15, PLANTED, 3),
        ),
        write("mask_write_register", mask.clone(), mask),
        write(
            "read_write_multiple_registers",
            modbus::read_write_multiple_registers((40, 2), PLANTED, &[6666]),
            modbus::registers(23, &[200, 210]),
        ),
    ]
}

/// Ten seconds of usual work over one conversation.
pub fn usual_work(talk: &mut Talk) {
    for second in 1..=10_u64 {
        talk.now_ns = START_NS + second * 1_000_000_000;
        talk.does(&usual_read());
        let coils = modbus::bits(1, &[true, false, true, true, false, false, true, false]);
        talk.does(&Deed::new("coils", 1, vec![modbus::read(1, 0, 8)], vec![coils]));
        if second % 5 == 0 {
            let request = modbus::write_multiple_registers(40, &[195 + second as u16, 208]);
            talk.does(&Deed::new("usual", 16, vec![request], vec![modbus::written(16, 40, 2)]));
        }
    }
}

/// Frames of a serial line over TCP.
pub fn serial(tricks: &mut Tricks) {
    for port in [502, 4_001, 5_020] {
        for handshake in [true, false] {
            for piece in [1, 5, 300] {
                let name = format!("as RTU at port {port}, {handshake}, pieces of {piece}");
                let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                    talk.ends[SERVER].port = port;
                    if let Tongue::Modbus(session) = &mut talk.tongue {
                        session.rtu = true;
                    }
                    if handshake {
                        talk.opens();
                    }
                    talk.polls(2);
                    let octets = talk.request(deed);
                    for (_, chunk) in pieces(&octets, piece) {
                        talk.says(CLIENT, chunk);
                    }
                });
                trick.opens_itself().shows(ELSEWHERE);
            }
        }
    }
}

pub fn meanings(tricks: &mut Tricks) {
    for unit in [0, 2, 247, 255] {
        let trick = tricks.add(format!("to unit {unit}"), Expect::Alerted, move |talk, deed| {
            let deed = Deed { unit, ..deed.clone() };
            let octets = talk.request(&deed);
            talk.says(CLIENT, &octets);
        });
        trick.shows(&["operation_new"]);
    }
    // Headers and PDUs that a device drops, or answers with an exception, before the request.
    type Odd = (&'static str, fn() -> Vec<u8>);
    let odd: [Odd; 8] = [
        ("another protocol identifier", || modbus::tcp_claiming(9, 7, 6, 1, &modbus::read(3, 40, 10))),
        ("length 0", || modbus::tcp_claiming(9, 0, 0, 1, &[])),
        ("length 1", || modbus::tcp_claiming(9, 0, 1, 1, &[])),
        ("function code 0", || modbus::tcp(9, 1, &[0])),
        ("the exception bit", || modbus::tcp(9, 1, &[0x83, 2])),
        ("quantity 0", || modbus::tcp(9, 1, &modbus::read(3, 40, 0))),
        ("a function code that nobody knows", || modbus::tcp(9, 1, &[0x55, 1, 2, 3])),
        ("five octets of garbage", || vec![0xff; 5]),
    ];
    for (name, octets) in odd {
        for together in [true, false] {
            let name = format!("behind {name}, {}", if together { "in one segment" } else { "in a segment each" });
            let trick = tricks.add(name, Expect::Told, move |talk, deed| {
                let (odd, real) = (octets(), talk.request(deed));
                if together {
                    talk.says(CLIENT, &[odd, real].concat());
                } else {
                    talk.says(CLIENT, &odd);
                    talk.says(CLIENT, &real);
                }
            });
            // What only a server says turns the conversation round, until something else is said.
            trick.shows(&["protocol_malformed", "operation_new", "protocol_unexpected_port", "conversation_new"]);
        }
    }
    let trick = tricks.add("between garbage, in one segment", Expect::Told, |talk, deed| {
        let real = talk.request(deed);
        talk.says(CLIENT, &[vec![0xff; 5], real, vec![0xff; 5]].concat());
    });
    trick.shows(&["protocol_malformed", "protocol_unexpected_port"]);
    // Devices that read a segment at a time do what it says, whatever the header counts.
    for more in [-2, -1, 1, 2, 12, 100, 200, 1_000] {
        let trick = tricks.add(format!("with a length of {more} more"), Expect::Told, move |talk, deed| {
            let mut octets = talk.request(deed);
            let length = (octets.len() as i32 - 6 + more) as u16;
            octets[4..6].copy_from_slice(&length.to_be_bytes());
            talk.says(CLIENT, &octets);
            talk.answers(deed);
        });
        // What is missing of it is waited for, as stations do.
        if more > 100 {
            trick.needs_answer();
        }
        trick.shows(&["protocol_malformed", "protocol_unexpected_port"]);
    }
    // The rest of a write whose first part is usual.
    let trick = tricks.add("behind a usual write", Expect::Alerted, |talk, deed| {
        let usual = modbus::write_multiple_registers(40, &[200, 210]);
        talk.does(&Deed::new("usual", 16, vec![usual], vec![modbus::written(16, 40, 2)]));
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    // Of a stranger no write is usual.
    trick.shows(&["write_unusual"]);
}
