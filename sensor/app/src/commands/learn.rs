//! `yagura learn`: captures in, baseline out.

use super::analysis::{Inputs, analyse, name_of, setup, source};
use super::{DONE, Failure, Outcome, print, read_text, say, shown_path, words};
use crate::pipeline::Pace;
use crate::record::Language;
use crate::record::text::filled;
use crate::record::write::{time, visible};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use yagura_core::analyzer::Setup;
use yagura_rules::baseline::{Baseline, Change};

/// Dangerous operations that are listed; the others are counted.
const LISTED_MAX: usize = 50;

/// What `yagura learn` is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is learnt from.
    pub inputs: Inputs,
    /// Where the baseline goes; `-` is standard output.
    pub out: PathBuf,
    /// A baseline whose facts are kept.
    pub merge: Option<PathBuf>,
    /// The language of what is said of dangerous operations.
    pub language: Language,
    /// Threads and batches.
    pub pace: Pace,
}

/// Runs the command.
///
/// # Errors
/// Where files cannot be read or written. From a damaged capture, what was readable is learnt and written first.
pub fn run(request: &Request) -> Outcome {
    let old = request.merge.as_deref().map(baseline).transpose()?;
    if let Some(read) = request.inputs.captures.iter().find(|read| super::replay::is_same_file(read, &request.out)) {
        let (out, read) = (shown_path(&request.out), shown_path(read));
        return Err(Failure::World(format!("{out}: is {read}, which is to be read; name another file with --out")));
    }
    let policy = request.inputs.policy()?;
    let captures = request.inputs.capture_names();
    let shared = source(&policy, &captures, request.language, None);
    let stop = AtomicBool::new(false);
    let mut dangerous: u64 = 0;
    let setup = Setup { learn: true, ..setup(&policy) };
    let analysis = analyse(&request.inputs, setup, request.pace, &stop, &mut |alerts| {
        for alert in alerts {
            // Another detection may have its own word on the same operation: this one names each of them once.
            if alert.card.name != "controller_dangerous" || alert.closes.is_some() {
                continue;
            }
            dangerous = dangerous.saturating_add(1);
            if dangerous <= words::count(LISTED_MAX) {
                let template = request.language.first().of(alert.finding.text);
                let text = filled(template, &alert.finding.params, &shared.names);
                say(&format!(
                    "not learnt: {} {} {}\n",
                    visible(&alert.id.to_string()),
                    time(alert.time),
                    visible(&text)
                ));
            }
        }
    })?;
    if dangerous > words::count(LISTED_MAX) {
        say(&format!("not learnt: {} dangerous operations in all\n", words::grouped(dangerous)));
    }
    let mut learnt = analysis.report.learnt.clone().unwrap_or_default();
    let new = match old {
        None => learnt.len(),
        Some(old) => {
            let mut both = old.clone();
            both.merge(learnt);
            learnt = both;
            old.diff(&learnt).iter().filter(|(change, _)| *change == Change::Added).count()
        }
    };
    write(&request.out, &learnt.to_toml())?;
    say(&words::summary(&analysis.report, analysis.frames_without_time));
    let (facts, new) = (words::plural(words::count(learnt.len()), "fact", "facts"), words::grouped(words::count(new)));
    let danger = match dangerous {
        0 => String::new(),
        n => format!("; {} not learnt: look at them", words::plural(n, "dangerous operation", "dangerous operations")),
    };
    say(&format!("baseline     {}: {facts}, {new} of them new{danger}\n", shown_path(&request.out)));
    analysis.error().map_or(Ok(DONE), |error| Err(Failure::World(error)))
}

/// Reads a baseline.
///
/// # Errors
/// [`Failure::World`] with the first problem in one line.
pub fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let text = read_text(path)?;
    Baseline::from_policy_text(name_of(path)?, &text).map_err(|problems| {
        let more = match problems.len() {
            0 | 1 => "",
            _ => " (and others: see `yagura check`)",
        };
        Failure::World(format!("{}{more}", problems.first().map(|problem| problem.one_line()).unwrap_or_default()))
    })
}

/// Writes a file whole or not at all: into a new one beside it, that then takes its name.
///
/// # Errors
/// [`Failure::World`] with the path and the reason.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if path.as_os_str() == "-" {
        return print(text);
    }
    let failed = |error| Failure::of_file(path, "cannot be written", &error);
    let mut name = path.file_name().map(std::ffi::OsStr::to_os_string).unwrap_or_default();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&beside, path)).map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("yagura-learn-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("baseline.toml");
        write(&file, "one").unwrap();
        write(&file, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
        std::fs::create_dir(folder.join("taken")).unwrap();
        std::fs::write(folder.join("taken/x"), "").unwrap();
        assert!(matches!(write(&folder.join("taken"), "x"), Err(Failure::World(_))));
        assert!(matches!(write(&folder.join("no/where.toml"), "x"), Err(Failure::World(_))));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing is left behind");
    }
}
