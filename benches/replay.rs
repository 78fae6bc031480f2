//! What one frame of a capture file costs from the file to the alerts, beside a bare loop over the file's records.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use yagura::capture::source::{Fill, FrameSource};
use yagura::capture::{Captures, Extent, open};
use yagura::pipeline::{self, Pace};
use yagura_core::analyzer::Setup;
use yagura_core::frame::FrameBatch;

/// Exchanges of the steady polling: two frames each.
const EXCHANGES: u32 = 100_000;

/// A file that goes when the bench does.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left behind in the folder for temporary files is no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Reads the records of a classic capture, least significant octet first, and adds up their octets: no check, no copy
/// that could be spared by so simple a loop.
fn records(path: &Path) -> (u64, u64) {
    let mut file = BufReader::with_capacity(256 << 10, File::open(path).expect("the file is there"));
    let mut octets = vec![0; 24];
    file.read_exact(&mut octets).expect("a capture has a header");
    let (mut frames, mut total) = (0, 0);
    let mut head = [0; 16];
    while file.read_exact(&mut head).is_ok() {
        let captured = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        octets.resize(captured as usize, 0);
        file.read_exact(&mut octets).expect("the last record is whole");
        frames += 1;
        total += black_box(&octets).len() as u64;
    }
    (frames, total)
}

fn source(path: &Path) -> Captures {
    open(&[path.to_owned()], Extent::default()).expect("the file is a capture")
}

fn replay(criterion: &mut Criterion) {
    let capture = benches::polling(EXCHANGES);
    let count = capture.frames.len() as u64;
    let file = Temporary(std::env::temp_dir().join(format!("bench-{}.pcap", std::process::id())));
    std::fs::write(&file.0, capture.to_pcap()).expect("the folder for temporary files can be written");
    let policy = benches::learnt(&benches::batches_of(&capture));
    drop(capture);

    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(count)).sample_size(10);
    group.bench_function("bare", |bencher| bencher.iter(|| assert_eq!(records(&file.0).0, count)));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let (mut source, mut batch, mut frames) = (source(&file.0), FrameBatch::default(), 0);
            while let Ok(Fill::Frames) = source.fill(&mut batch, benches::BATCH_FRAMES) {
                frames += batch.frames.len() as u64;
            }
            assert_eq!(frames, count);
        })
    });
    for threads in [1, 2] {
        group.bench_function(format!("threads_{threads}"), |bencher| {
            bencher.iter(|| {
                let setup = Setup { policy: policy.clone(), ..Setup::default() };
                let pace = Pace { threads, ..Pace::default() };
                let mut alerts = 0;
                let mut count_alerts = |found: Vec<_>| alerts += found.len();
                let (report, damage) =
                    pipeline::analyze(setup, &mut source(&file.0), pace, &mut count_alerts, &mut |_| {});
                assert_eq!((report.counters.frames, damage.len()), (count, 0));
                alerts
            })
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = benches::stopwatch(); targets = replay }
criterion_main!(benches);
