//! `yagura replay`: captures in, records out.

use super::analysis::{Inputs, analyse, digests, setup, source};
use super::{ALERTED, DONE, Failure, Outcome, say, shown_path, words};
use crate::pipeline::Pace;
use crate::record::Language;
use crate::record::alert::AlertRecord;
use crate::record::asset::AssetRecord;
use crate::record::eve::EveRecord;
use crate::record::run::RunRecord;
use crate::record::totals::{SummaryRecord, Totals};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use yagura_core::counters::Counters;
use yagura_rules::rule::Severity;

/// In which format records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Our own records.
    #[default]
    Native,
    /// Alerts as EVE lines.
    Eve,
}

/// What `yagura replay` is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is judged, and by what.
    pub inputs: Inputs,
    /// Where records go; `None` is standard output.
    pub out: Option<PathBuf>,
    /// The format.
    pub format: Format,
    /// The language.
    pub language: Language,
    /// Whether devices are told, too.
    pub assets: bool,
    /// From which severity on an alert makes the command fail.
    pub fail_at: Option<Severity>,
    /// Threads and batches.
    pub pace: Pace,
}

/// Runs the command.
///
/// # Errors
/// Where files cannot be read or written. Everything readable is analysed and written first.
pub fn run(request: &Request) -> Outcome {
    let policy = request.inputs.policy()?;
    let captures = request.inputs.capture_names();
    let stop = AtomicBool::new(false);
    let mut output = Output::open(request.out.as_deref(), &request.inputs, &stop)?;
    let native = request.format == Format::Native;
    if native {
        let (sensor, site, extent) = (policy.sensor.as_deref(), policy.site.as_deref(), request.inputs.extent);
        let first = RunRecord::new(sensor, site, &captures, digests(&policy), extent.until, extent.frames);
        output.line(&first.line());
    }
    let shared = source(&policy, &captures, request.language, None);
    let mut worst: Option<Severity> = None;
    let opened = analyse(&request.inputs, setup(&policy), request.pace, &stop, &mut |alerts| {
        for alert in &alerts {
            worst = worst.max(Some(alert.severity));
            output.line(&if native { AlertRecord::line(alert, &shared) } else { EveRecord::line(alert, &shared) });
        }
        output.flush();
    });
    let analysis = match opened {
        Ok(analysis) => analysis,
        Err(failure) => {
            // The lines that were begun have their end all the same.
            if let (Failure::World(error), true) = (&failure, native) {
                output.line(&SummaryRecord::new(Totals::new(&Counters::default(), 0, 0), Some(error.clone())).line());
            }
            output.finish()?;
            return Err(failure);
        }
    };
    let error = analysis.error();
    if native {
        if request.assets {
            let names = source(&policy, &captures, request.language, Some(&analysis.report.assets)).names;
            for asset in analysis.report.assets.values() {
                output.line(&AssetRecord::line(asset, &names));
            }
        }
        let totals = Totals::new(&analysis.report.counters, analysis.report.assets.len(), analysis.frames_without_time);
        output.line(&SummaryRecord::new(totals, error.clone()).line());
    }
    output.finish()?;
    say(&words::summary(&analysis.report, analysis.frames_without_time));
    match error {
        Some(error) => Err(Failure::World(error)),
        None if request.fail_at.is_some_and(|least| worst >= Some(least)) => Ok(ALERTED),
        None => Ok(DONE),
    }
}

/// Where lines go. After a failure nothing more is written, and frames are no longer wanted.
struct Output<'a> {
    sink: BufWriter<Box<dyn Write>>,
    path: Option<PathBuf>,
    stop: &'a AtomicBool,
    failure: Option<io::Error>,
}

impl<'a> Output<'a> {
    /// Opens the output. A file that is read in the same run is never written over.
    fn open(path: Option<&Path>, inputs: &Inputs, stop: &'a AtomicBool) -> Result<Self, Failure> {
        let path = path.filter(|path| path.as_os_str() != "-");
        let sink: Box<dyn Write> = match path {
            None => Box::new(io::stdout()),
            Some(path) => {
                let read = inputs.captures.iter().chain(&inputs.site).chain(&inputs.baseline);
                if let Some(same) = read.into_iter().find(|read| is_same_file(read, path)) {
                    let (out, same) = (shown_path(path), shown_path(same));
                    return Err(Failure::World(format!(
                        "{out}: is {same}, which is to be read; name another file with --out"
                    )));
                }
                Box::new(File::create(path).map_err(|error| Failure::of_file(path, "cannot be written", &error))?)
            }
        };
        Ok(Self { sink: BufWriter::with_capacity(1 << 16, sink), path: path.map(Path::to_owned), stop, failure: None })
    }

    fn line(&mut self, line: &str) {
        if self.failure.is_none() {
            let done = self.sink.write_all(line.as_bytes()).and_then(|()| self.sink.write_all(b"\n"));
            self.note(done);
        }
    }

    fn flush(&mut self) {
        if self.failure.is_none() {
            let done = self.sink.flush();
            self.note(done);
        }
    }

    fn note(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.failure = Some(error);
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.flush();
        let failure = self.failure.take();
        // What could not be written is not tried again when the buffer goes.
        let (_, _) = self.sink.into_parts();
        match (failure, self.path) {
            (None, _) => Ok(()),
            (Some(error), None) => Err(Failure::of_output(&error)),
            (Some(error), Some(path)) => Err(Failure::of_file(&path, "cannot be written", &error)),
        }
    }
}

/// Whether two paths are one file, under whatever names.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    let identity = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map(|data| (data.dev(), data.ino())).ok()
    };
    #[cfg(not(unix))]
    let identity = |path: &Path| std::fs::canonicalize(path).ok();
    identity(one).is_some_and(|identity_of_one| identity(other) == Some(identity_of_one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_never_written_over() {
        let folder = std::env::temp_dir().join(format!("yagura-replay-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let capture = folder.join("a.pcap");
        std::fs::write(&capture, "x").unwrap();
        let other_name = folder.join("link.pcap");
        let _ = std::fs::remove_file(&other_name);
        std::fs::hard_link(&capture, &other_name).unwrap();
        let inputs = Inputs { captures: vec![capture.clone()], ..Inputs::default() };
        let stop = AtomicBool::new(false);
        for out in [&capture, &other_name, &folder.join(".").join("a.pcap")] {
            let Err(Failure::World(text)) = Output::open(Some(out), &inputs, &stop) else { panic!("{out:?}") };
            assert!(text.contains("which is to be read"), "{text}");
        }
        assert_eq!(std::fs::read_to_string(&capture).unwrap(), "x");
        let mut output = Output::open(Some(&folder.join("out.jsonl")), &inputs, &stop).unwrap();
        output.line("{}");
        output.finish().unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("out.jsonl")).unwrap(), "{}\n");
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_run() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let stop = AtomicBool::new(false);
        let sink = BufWriter::new(Box::new(Gone) as Box<dyn Write>);
        let mut output = Output { sink, path: None, stop: &stop, failure: None };
        output.line("{}");
        output.flush();
        assert!(stop.load(Ordering::Relaxed));
        output.line("{}");
        assert_eq!(output.finish(), Err(Failure::Closed));
    }
}
