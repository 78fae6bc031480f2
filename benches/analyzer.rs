//! What one frame costs through the whole core on one thread, beside a bare sum of its octets: steady polling, the
//! demonstration plant, and few or very many flows.

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fixtures::wire::{ethernet, ip, tcp};
use std::hint::black_box;
use std::net::Ipv4Addr;
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::frame::FrameBatch;
use yagura_rules::policy::Policy;

/// Exchanges of the steady polling.
const EXCHANGES: u32 = 20_000;
/// SYNs, whatever the number of flows.
const SYNS: u32 = 100_000;

fn bare(group: &mut BenchmarkGroup<'_, WallTime>, batches: &[FrameBatch]) {
    group.throughput(Throughput::Elements(batches.iter().map(|batch| batch.frames.len() as u64).sum()));
    group.bench_function("bare", |bencher| bencher.iter(|| benches::touch(black_box(batches))));
}

fn whole(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, policy: &Policy, batches: &[FrameBatch]) {
    let setup = Setup { policy: policy.clone(), ..Setup::default() };
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || Analyzer::new(setup.clone()),
            |mut analyzer| {
                black_box(benches::analyze(&mut analyzer, black_box(batches)));
                analyzer
            },
            BatchSize::PerIteration,
        )
    });
}

fn polling(criterion: &mut Criterion) {
    let batches = benches::batches_of(&benches::polling(EXCHANGES));
    let mut group = criterion.benchmark_group("analyzer_polling");
    bare(&mut group, &batches);
    whole(&mut group, "no_baseline", &Policy::default(), &batches);
    whole(&mut group, "baseline", &benches::learnt(&batches), &batches);
    group.finish();
}

fn demonstration(criterion: &mut Criterion) {
    let demo = benches::demo();
    let batches = benches::batches_of(&demo.capture);
    let mut group = criterion.benchmark_group("analyzer_demo");
    bare(&mut group, &batches);
    whole(&mut group, "no_baseline", &Policy::default(), &batches);
    whole(&mut group, "site", &benches::policy(demo.site.expect("the demonstration has a site")), &batches);
    whole(&mut group, "baseline", &benches::learnt(&batches), &batches);
    group.finish();
}

/// SYNs from so many ends to one server, one after the other, a microsecond apart.
fn syns(flows: u32) -> Vec<FrameBatch> {
    let server = Ipv4Addr::new(10, 20, 1, 9);
    let frames: Vec<Vec<u8>> = (0..SYNS)
        .map(|number| {
            let flow = number % flows;
            // 250 clients with 400 ports each.
            let client = Ipv4Addr::new(10, 20, 0, u8::try_from(flow % 250).expect("below 250"));
            let header = tcp::Header {
                source_port: 49152 + u16::try_from(flow / 250).expect("below 400"),
                destination_port: 502,
                sequence_number: flow,
                acknowledgement_number: 0,
                flags: tcp::SYN,
                window: 64240,
            };
            let segment = tcp::segment(client.into(), server.into(), header, &[], &[]);
            let packet = ip::v4(ip::Header::new(client, server, ip::TCP, number as u16), &segment);
            ethernet::padded(ethernet::frame([2; 6], [2, 0, 0, 0, 0, 1], ethernet::IPV4, &packet))
        })
        .collect();
    benches::batches(frames.iter().enumerate().map(|(number, octets)| (number as u64 * 1000, octets.as_slice())))
}

fn flows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analyzer_flows");
    bare(&mut group, &syns(10));
    for count in [10, 1_000, 100_000] {
        whole(&mut group, &format!("flows_{count}"), &Policy::default(), &syns(count));
    }
    group.finish();
}

criterion_group! { name = benches; config = benches::stopwatch(); targets = polling, demonstration, flows }
criterion_main!(benches);
