//! What one Modbus ADU costs from framing to its operations, beside a bare copy of its octets.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fixtures::wire::modbus;
use std::hint::black_box;
use yagura_parsers::dissect::{Direction, Dissected, feed};
use yagura_parsers::message::Describe;
use yagura_parsers::protocols::modbus::ModbusDissector;

/// ADUs of one stream.
const ADUS: u16 = 256;

fn parse(criterion: &mut Criterion) {
    let values = [500; 125];
    let objects = [(0, "Vendor"), (1, "Product"), (2, "V1.0")];
    for (name, direction, pdu) in [
        ("read_request", Direction::ToServer, modbus::read(3, 40, 10)),
        ("read_response_10", Direction::ToClient, modbus::registers(3, &values[..10])),
        ("read_response_125", Direction::ToClient, modbus::registers(3, &values)),
        ("write_request_10", Direction::ToServer, modbus::write_multiple_registers(40, &values[..10])),
        ("exception", Direction::ToClient, modbus::exception(3, modbus::ILLEGAL_DATA_ADDRESS)),
        ("identification", Direction::ToClient, modbus::device_identification(1, 0x81, &objects)),
    ] {
        for rtu in [false, true] {
            let adus: Vec<Vec<u8>> =
                (0..ADUS).map(|n| if rtu { modbus::rtu(1, &pdu) } else { modbus::tcp(n, 1, &pdu) }).collect();
            let stream = adus.concat();
            let mut group = criterion.benchmark_group(format!("parse_{}_{name}", if rtu { "rtu" } else { "tcp" }));
            group.throughput(Throughput::Elements(u64::from(ADUS)));
            let mut copy = vec![0; adus[0].len()];
            group.bench_function("bare", |bencher| {
                bencher.iter(|| {
                    for adu in black_box(&stream).chunks_exact(copy.len()) {
                        black_box(&mut copy).copy_from_slice(adu);
                    }
                })
            });
            group.bench_function("read", |bencher| {
                bencher.iter(|| {
                    let mut dissector = if rtu { ModbusDissector::rtu() } else { ModbusDissector::default() };
                    let mut operations = 0;
                    let used = feed(&mut dissector, direction, 0, black_box(&stream), |dissected| {
                        let Dissected::Message { message, .. } = dissected else { panic!("{name} is not read") };
                        black_box((message.pairing(), message.refusal(), message.fault()));
                        message.tally(&mut |tally| {
                            black_box(tally);
                        });
                        message.operations(&mut |operation| {
                            black_box(operation);
                            operations += 1;
                        });
                    });
                    assert_eq!((used, operations), (stream.len(), ADUS));
                })
            });
            group.finish();
        }
    }
}

criterion_group! { name = benches; config = benches::stopwatch(); targets = parse }
criterion_main!(benches);
