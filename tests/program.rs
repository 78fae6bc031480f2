//! The program run as a user runs it: in a folder, with arguments, and never for longer than a minute.

#![allow(dead_code, reason = "each test needs its own part of it")]

use serde_json::Value;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that any run here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; `None` where a signal ended it.
    pub exit: Option<i32>,
    /// Standard output.
    pub output: Vec<u8>,
    /// Standard error.
    pub said: String,
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.output).expect("what the program writes is UTF-8")
    }

    /// Standard output as records, one a line.
    pub fn records(&self) -> Vec<Value> {
        records(self.text())
    }

    /// The alerts of standard output.
    pub fn alerts(&self) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["type"] == "alert").collect()
    }

    /// The last line of standard error: where errors stand.
    pub fn last_line(&self) -> &str {
        self.said.lines().last().unwrap_or_default()
    }

    /// This run, once it is known that it ended well.
    pub fn fine(self) -> Self {
        assert_eq!(self.exit, Some(0), "{}", self.said);
        self
    }
}

/// Lines of JSON.
pub fn records(text: &str) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(read).collect()
}

/// Runs the program in a folder.
pub fn yagura(folder: &Path, arguments: &[&str]) -> Ran {
    yagura_given(folder, arguments, &[])
}

/// Runs the program in a folder, with octets on standard input.
pub fn yagura_given(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = start(folder, arguments);
    let mut pipe = child.stdin.take().expect("standard input is a pipe");
    let input = input.to_vec();
    // The program may end before it has read all: then nobody wants the rest.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let ran = wait(child, arguments);
    writer.join().expect("standard input was written");
    ran
}

/// Starts the program in a folder, with pipes on all three sides.
pub fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(tests::binary());
    command.current_dir(folder).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{}: {error}", tests::binary().display()))
}

/// Waits for a run to end, and takes what it wrote.
pub fn wait(mut child: Child, arguments: &[&str]) -> Ran {
    let mut output = child.stdout.take();
    let mut said = child.stderr.take();
    let take = |from: Option<&mut dyn Read>| {
        let mut octets = Vec::new();
        if let Some(from) = from {
            let _ = from.read_to_end(&mut octets);
        }
        octets
    };
    std::thread::scope(|scope| {
        let output = scope.spawn(move || take(output.as_mut().map(|from| from as &mut dyn Read)));
        let said = scope.spawn(move || take(said.as_mut().map(|from| from as &mut dyn Read)));
        let began = Instant::now();
        let status = loop {
            match child.try_wait().expect("a child can be waited for") {
                Some(status) => break status,
                None if began.elapsed() > PATIENCE => {
                    child.kill().expect("a child can be ended");
                    panic!("yagura {arguments:?} does not end");
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        let output = output.join().expect("standard output was read");
        let said = String::from_utf8(said.join().expect("standard error was read")).expect("it says UTF-8");
        assert!(!said.contains("panicked"), "yagura {arguments:?} broke: {said}");
        Ran { exit: status.code(), output, said }
    })
}

/// The arguments of site file and baseline, for the folder of a case.
pub fn policy_arguments(folder: &Path) -> Vec<&'static str> {
    let mut arguments = Vec::new();
    for (option, file) in [("--site", "site.toml"), ("--baseline", "baseline.toml")] {
        if folder.join(file).is_file() {
            arguments.extend([option, file]);
        }
    }
    arguments
}
