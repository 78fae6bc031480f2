//! What the headers of one frame cost, beside a bare sum of its octets and beside etherparse.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::SlicedPacket;
use fixtures::story::{Host, Story};
use fixtures::wire::{ethernet, modbus, tunnel};
use std::hint::black_box;
use yagura_parsers::packet::decode::decode;
use yagura_parsers::packet::link::LinkType;
use yagura_parsers::packet::{Carrier, Network, Transport};

/// Frames decoded at a time.
const FRAMES: usize = 256;

fn frame(story: impl FnOnce(&mut Story)) -> Vec<u8> {
    let mut timeline = Story::new();
    story(&mut timeline);
    timeline.end().frames.pop().expect("the story has a frame").octets
}

fn decodes(criterion: &mut Criterion) {
    let client = Host::new("client", [2, 0, 0, 0, 0, 1], [10, 20, 0, 1]);
    let server = Host::new("server", [2, 0, 0, 0, 0, 2], [10, 20, 1, 1]);
    let says = |pdu: &[u8]| {
        let adu = modbus::tcp(1, 1, pdu);
        frame(|story| {
            let conversation = story.tcp_midstream(client, server.port(502));
            story.says(conversation, &adu);
        })
    };
    let request = says(&modbus::read(3, 40, 10));
    let vxlan = tunnel::vxlan(7, &request);
    for (name, octets) in [
        ("tcp", request.clone()),
        ("tcp_long", says(&modbus::registers(3, &[1; 125]))),
        ("tcp_vlan", ethernet::tagged(&request, &[(ethernet::C_TAG, 20)])),
        (
            "udp",
            frame(|story| {
                story.udp(client.port(40000), server.port(40001), &[0; 64]);
            }),
        ),
        (
            "tcp_in_vxlan",
            frame(|story| {
                story.udp(client.port(40000), server.port(tunnel::VXLAN_PORT), &vxlan);
            }),
        ),
        (
            "arp",
            frame(|story| {
                story.arp_asks(client, server.v4());
            }),
        ),
    ] {
        let frames = vec![octets; FRAMES];
        let mut group = criterion.benchmark_group(format!("decode_{name}"));
        group.throughput(Throughput::Elements(FRAMES as u64));
        group.bench_function("bare", |bencher| {
            bencher.iter(|| black_box(&frames).iter().map(|octets| benches::sum(octets)).sum::<u64>())
        });
        group.bench_function("etherparse", |bencher| {
            bencher.iter(|| {
                for octets in black_box(&frames) {
                    black_box(SlicedPacket::from_ethernet(octets).expect("the frame is good"));
                }
            })
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                for octets in black_box(&frames) {
                    let wire_octets = u32::try_from(octets.len()).expect("a frame is short");
                    let packet = decode(Carrier { link: LinkType::ETHERNET, wire_octets }, octets);
                    assert!(!matches!(packet.network, Network::Undecoded | Network::Ip(_, Transport::Other)));
                    black_box(packet);
                }
            })
        });
        group.finish();
    }
}

criterion_group! { name = benches; config = benches::stopwatch(); targets = decodes }
criterion_main!(benches);
