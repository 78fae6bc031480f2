//! What it costs to put one TCP flow's stream together, in order and otherwise, beside a bare copy of its payloads.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fixtures::wire::{ethernet, ip, modbus, tcp};
use std::hint::black_box;
use std::net::Ipv4Addr;
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::frame::FrameBatch;

/// Requests, each with its response of 100 registers.
const EXCHANGES: u16 = 2000;
/// Octets that overlap.
const OVERLAP: usize = 20;

/// How the network brings a response.
#[derive(Clone, Copy)]
enum Way {
    InOrder,
    Cut,
    Reordered,
    Overlapping,
    Repeated,
}

/// The flow: from the client (side 0) and the server (side 1).
struct Flow {
    frames: Vec<Vec<u8>>,
    next: [u32; 2],
}

impl Flow {
    /// A segment that starts so far from where its side's stream was.
    fn segment(&mut self, side: usize, distance: usize, flags: u8, payload: &[u8]) {
        let ends = [(Ipv4Addr::new(10, 20, 0, 5), 49152), (Ipv4Addr::new(10, 20, 1, 9), 502)];
        let ((source, source_port), (destination, destination_port)) = (ends[side], ends[1 - side]);
        let distance = u32::try_from(distance).expect("a response is short");
        let header = tcp::Header {
            source_port,
            destination_port,
            sequence_number: self.next[side].wrapping_add(distance),
            acknowledgement_number: self.next[1 - side],
            flags,
            window: 64240,
        };
        let segment = tcp::segment(source.into(), destination.into(), header, &[], payload);
        let packet = ip::v4(ip::Header::new(source, destination, ip::TCP, 1), &segment);
        self.frames.push(ethernet::frame([2; 6], [2, 0, 0, 0, 0, 1], ethernet::IPV4, &packet));
    }

    fn advance(&mut self, side: usize, octets: usize) {
        self.next[side] = self.next[side].wrapping_add(u32::try_from(octets).expect("a response is short"));
    }
}

/// The frames, and the payloads that any reassembly has to copy at least.
fn flow(way: Way) -> (Vec<FrameBatch>, Vec<Vec<u8>>) {
    let mut flow = Flow { frames: Vec::new(), next: [1000, 5000] };
    let mut payloads = Vec::new();
    flow.segment(0, 0, tcp::SYN, &[]);
    flow.advance(0, 1);
    flow.segment(1, 0, tcp::SYN | tcp::ACK, &[]);
    flow.advance(1, 1);
    let data = tcp::PSH | tcp::ACK;
    for transaction in 0..EXCHANGES {
        let request = modbus::tcp(transaction, 1, &modbus::read(3, 0, 100));
        flow.segment(0, 0, data, &request);
        flow.advance(0, request.len());
        let response = modbus::tcp(transaction, 1, &modbus::registers(3, &[transaction; 100]));
        let half = response.len() / 2;
        match way {
            Way::InOrder => flow.segment(1, 0, data, &response),
            Way::Cut => {
                flow.segment(1, 0, data, &response[..half]);
                flow.segment(1, half, data, &response[half..]);
            }
            Way::Reordered => {
                flow.segment(1, half, data, &response[half..]);
                flow.segment(1, 0, data, &response[..half]);
            }
            Way::Overlapping => {
                flow.segment(1, 0, data, &response[..half]);
                flow.segment(1, half - OVERLAP, data, &response[half - OVERLAP..]);
            }
            Way::Repeated => {
                flow.segment(1, 0, data, &response);
                flow.segment(1, 0, data, &response);
            }
        }
        flow.advance(1, response.len());
        payloads.extend([request, response]);
    }
    // 10 ms apart, so that what comes again is a retransmission and not a mirror's second copy.
    let timed = flow.frames.iter().enumerate().map(|(n, octets)| (n as u64 * 10_000_000, octets.as_slice()));
    (benches::batches(timed), payloads)
}

fn assemble(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("assemble");
    group.throughput(Throughput::Elements(u64::from(EXCHANGES)));
    let (_, payloads) = flow(Way::InOrder);
    let mut copy = Vec::new();
    group.bench_function("bare", |bencher| {
        bencher.iter(|| {
            for payload in black_box(&payloads) {
                copy.clear();
                copy.extend_from_slice(payload);
                black_box(&mut copy);
            }
        })
    });
    for (name, way) in [
        ("in_order", Way::InOrder),
        ("cut", Way::Cut),
        ("reordered", Way::Reordered),
        ("overlapping", Way::Overlapping),
        ("repeated", Way::Repeated),
    ] {
        let (batches, _) = flow(way);
        let mut proof = Analyzer::new(Setup::default());
        benches::analyze(&mut proof, &batches);
        let counters = proof.into_report().counters;
        let messages: u64 = counters.protocols.values().map(|protocol| protocol.messages).sum();
        assert_eq!(messages, 2 * u64::from(EXCHANGES), "{name}: {counters:?}");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Analyzer::new(Setup::default()),
                |mut analyzer| {
                    black_box(benches::analyze(&mut analyzer, black_box(&batches)));
                    analyzer
                },
                BatchSize::PerIteration,
            )
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = benches::stopwatch(); targets = assemble }
criterion_main!(benches);
