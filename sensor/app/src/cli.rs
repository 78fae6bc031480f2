//! Arguments, and which command they name.

use crate::capture::Extent;
use crate::commands::analysis::{Inputs, threads};
use crate::commands::{
    FAILED, Failure, MISUSED, Outcome, assets, check, diff, explain, journal, learn, points, replay, run, say, show,
    stats,
};
use crate::pipeline::Pace;
use crate::record::Language;
use crate::record::write::visible;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use yagura_journal::class::Class;
use yagura_journal::hold::Hold;
use yagura_journal::query::Filter;
use yagura_rules::facts::time::Timestamp;
use yagura_rules::rule::Severity;

const NOTES: &str = "\
Exit codes: 0 done; 1 an error, said in one line on standard error; 2 wrong arguments; 10 an alert at or above --fail-at.

First steps:
  yagura replay plant.pcap                            what is there, and what of it should worry you
  yagura learn normal.pcap --out baseline.toml        what is usual
  yagura replay new.pcap --baseline baseline.toml     what is new
  yagura explain OT-0007-1042-0 new.pcap --baseline baseline.toml";

/// A passive monitoring sensor for industrial networks: who is there, what they say, and what should worry you.
#[derive(Debug, Parser)]
#[command(name = "yagura", version, after_help = NOTES, max_term_width = 100, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads captures and writes alerts.
    ///
    /// Records go to standard output, one JSON object a line: `run` first, `summary` last. What was seen goes to
    /// standard error, for people. The same captures and files give the same octets, on any number of threads.
    Replay(ReplayArguments),
    /// Learns from captures what is usual, and writes it as a baseline.
    ///
    /// The baseline is text, one fact a line, sorted: read it, edit it, keep it under version control. Dangerous
    /// operations (restart, stop, program transfer) are never learnt: they are listed on standard error.
    Learn(LearnArguments),
    /// Checks site files and baselines: what is wrong, with line and mark, or what they hold.
    Check {
        /// Site files and baselines, each by itself, with what it includes.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Shows what the sensor knows: detections, protocols, records, JSON Schemas.
    Show {
        /// What to show.
        #[arg(value_enum)]
        subject: SubjectArgument,
        /// One of them: a detection, a protocol, a record type.
        name: Option<String>,
        /// How.
        #[arg(long, value_enum, default_value_t)]
        format: ShowFormat,
    },
    /// Counts what captures hold: frames, protocols, function codes, losses, anomalies.
    Stats {
        #[command(flatten)]
        inputs: InputArguments,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        pace: PaceArguments,
    },
    /// Lists the devices: addresses, vendors, names, roles, units, each claim with its frame.
    Assets {
        #[command(flatten)]
        inputs: InputArguments,
        /// How.
        #[arg(long, value_enum, default_value_t)]
        format: AssetsFormat,
        #[command(flatten)]
        pace: PaceArguments,
    },
    /// Lists the points of the process: values, quality, ranges, how often they are told, and who writes them.
    Points {
        #[command(flatten)]
        inputs: InputArguments,
        /// One record a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        pace: PaceArguments,
    },
    /// Explains why an alert was raised, or what became of a frame.
    ///
    /// Give the same captures, site file and baseline as the run that raised the alert.
    #[command(
        override_usage = "yagura explain [OPTIONS] <ALERT-ID> <CAPTURE>...\n       yagura explain [OPTIONS] --frame <N> <CAPTURE>..."
    )]
    Explain {
        /// The alert's id, then the captures; with --frame, the captures alone. `-` is standard input.
        #[arg(required = true, value_name = "ALERT-ID | CAPTURE")]
        what: Vec<PathBuf>,
        /// Tell what became of this frame (of the timeline, from 1) instead.
        #[arg(long, value_name = "N")]
        frame: Option<u64>,
        #[command(flatten)]
        policy: PolicyArguments,
        #[command(flatten)]
        extent: ExtentArguments,
    },
    /// Listens to mirror ports, as a service: alerts go to the journal, and from there to every output.
    ///
    /// SIGHUP reads site file and baseline again, SIGTERM ends. See docs/operating.md for the configuration.
    Run(RunArguments),
    /// Makes an interface fit for listening, so that nothing is ever sent on it; says each step and how to undo it.
    Prepare {
        /// The interface at the mirror port.
        interface: String,
    },
    /// Looks at a mirror port for a while, and says what is wrong with it.
    Doctor {
        /// The interface at the mirror port.
        interface: String,
        /// For how long: `60s`, `5m`.
        #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration)]
        time: Duration,
    },
    /// Looks into the journal, proves that it is genuine, adds what was done about an alert.
    Journal {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(subcommand)]
        what: JournalCommand,
    },
    /// Sends a marked alert through every output.
    TestAlert {
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Compares two baselines, or the alerts of two runs.
    Diff {
        /// A baseline, or records.
        #[arg(value_name = "A")]
        first: PathBuf,
        /// Another of the same kind.
        #[arg(value_name = "B")]
        second: PathBuf,
    },
}

#[derive(Debug, Args)]
struct ConfigArgument {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "/etc/yagura/yagura.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print records on standard output once they are on the disk.
    #[arg(long)]
    print: bool,
    /// Learn for so long what is usual, write it as a baseline into the state folder, and end: `90m`, `24h`, `7d`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    learn: Option<Duration>,
    /// Try what the processes must not be able to do, print what came of it, and end.
    #[arg(long)]
    sandbox_selftest: bool,
    /// Which of the processes this is.
    #[arg(long, value_enum, default_value_t, hide = true)]
    role: RoleArgument,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum RoleArgument {
    #[default]
    Supervisor,
    Sensor,
    Outputs,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Proves that the journal is whole and genuine, as far as that can be known.
    Verify {
        /// The public key, kept on another machine; by default the one beside the journal's own.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A number and hash, kept on another machine.
        #[arg(long, value_name = "NUMBER:HASH")]
        anchor: Option<String>,
    },
    /// Prints the records that match.
    Query(QueryArguments),
    /// Prints the records that match, whole; who did it is written into the journal.
    Export(QueryArguments),
    /// Writes down what was done about an alert.
    Note {
        /// The alert's id.
        alert: String,
        /// Who did it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// What was done.
        #[arg(long)]
        text: String,
    },
    /// Keeps a range of records whatever quota and age say.
    Freeze {
        /// The name by which it is thawed.
        name: String,
        /// The first number.
        #[arg(long)]
        from: u64,
        /// The last number.
        #[arg(long)]
        to: u64,
    },
    /// Keeps a frozen range no longer.
    Thaw {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct QueryArguments {
    /// Records of these classes: alert, disposition, health, audit, gap, checkpoint.
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = class)]
    class: Vec<Class>,
    /// Alerts of this severity at least.
    #[arg(long, value_name = "SEVERITY", value_parser = journal_severity)]
    severity: Option<yagura_journal::class::Severity>,
    /// Written at this time or later.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Written at this time or before.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// With this number or a greater one.
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// With this number or a smaller one.
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// About this alert.
    #[arg(long, value_name = "ALERT-ID")]
    id: Option<String>,
}

impl From<QueryArguments> for Filter {
    fn from(asked: QueryArguments) -> Self {
        Self {
            classes: asked.class,
            severity_least: asked.severity,
            written_from_ns: asked.since.map(|time| time.0),
            written_to_ns: asked.until.map(|time| time.0),
            sequence_from: asked.from,
            sequence_to: asked.to,
            id: asked.id,
        }
    }
}

#[derive(Debug, Args)]
struct ReplayArguments {
    #[command(flatten)]
    inputs: InputArguments,
    /// Where records go; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// In which format: our own records, or alerts as EVE lines.
    #[arg(long, value_enum, default_value_t)]
    format: ReplayFormat,
    /// In which language sentences are: `both` is English with Japanese beside it.
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = languages())]
    lang: Language,
    /// Write devices, too, after the alerts (native format).
    #[arg(long)]
    assets: bool,
    /// End with exit code 10 where an alert has this severity or a higher one.
    #[arg(long, value_name = "SEVERITY", value_parser = severities())]
    fail_at: Option<Severity>,
    #[command(flatten)]
    pace: PaceArguments,
}

#[derive(Debug, Args)]
struct LearnArguments {
    #[command(flatten)]
    inputs: InputArguments,
    /// Where the baseline goes; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep the facts of this baseline, too.
    #[arg(long, value_name = "OLD")]
    merge: Option<PathBuf>,
    /// In which language dangerous operations are told.
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = languages())]
    lang: Language,
    #[command(flatten)]
    pace: PaceArguments,
}

#[derive(Debug, Args)]
struct InputArguments {
    /// Captures (pcap, pcapng; plain, gz, xz, zst); `-` is standard input. Several are one timeline.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    extent: ExtentArguments,
}

#[derive(Debug, Args)]
struct PolicyArguments {
    /// The site file: zones, conduits, assets, settings of detections.
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,
    /// A baseline: short for a site file that includes it.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ExtentArguments {
    /// Stop before the first frame that is later: 2026-01-05T10:11:12Z, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "frames")]
    until: Option<Timestamp>,
    /// Stop after so many frames.
    #[arg(long, value_name = "N")]
    frames: Option<u64>,
}

#[derive(Debug, Args)]
struct PaceArguments {
    /// Threads; by default as many as the machine has cores. They change no byte of the output.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Frames of a batch.
    #[arg(long, value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ReplayFormat {
    /// Our own records.
    #[default]
    Native,
    /// Alerts as EVE lines.
    Eve,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum AssetsFormat {
    /// For a terminal.
    #[default]
    Table,
    /// One record a line.
    Json,
    /// For a spreadsheet.
    Csv,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ShowFormat {
    /// For a terminal.
    #[default]
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SubjectArgument {
    /// What the sensor alerts on.
    Detections,
    /// What it reads.
    Protocols,
    /// What it writes.
    Records,
    /// The JSON Schema of a record type.
    Schema,
}

/// Runs the command that the arguments name, and returns its exit code. Errors are one line on standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let outcome = match Arguments::try_parse_from(arguments) {
        Ok(Arguments { command }) => execute(command),
        Err(error) if !error.use_stderr() => crate::commands::print(&error.render().to_string()).map(|()| 0),
        Err(error) => Err(Failure::Arguments(in_one_line(&error))),
    };
    match outcome {
        Ok(exit) => exit,
        Err(Failure::Closed) => 0,
        Err(Failure::World(line)) => {
            say(&format!("yagura: {line}\n"));
            FAILED
        }
        Err(Failure::Arguments(line)) => {
            say(&format!("yagura: {line}\n"));
            MISUSED
        }
    }
}

fn execute(command: Command) -> Outcome {
    match command {
        Command::Replay(asked) => replay::run(&replay::Request {
            inputs: asked.inputs.into(),
            out: asked.out,
            format: match asked.format {
                ReplayFormat::Native => replay::Format::Native,
                ReplayFormat::Eve => replay::Format::Eve,
            },
            language: asked.lang,
            assets: asked.assets,
            fail_at: asked.fail_at,
            pace: asked.pace.into(),
        }),
        Command::Learn(asked) => learn::run(&learn::Request {
            inputs: asked.inputs.into(),
            out: asked.out,
            merge: asked.merge,
            language: asked.lang,
            pace: asked.pace.into(),
        }),
        Command::Check { files } => check::run(&files),
        Command::Show { subject, name, format } => {
            let subject = match subject {
                SubjectArgument::Detections => show::Subject::Detections,
                SubjectArgument::Protocols => show::Subject::Protocols,
                SubjectArgument::Records => show::Subject::Records,
                SubjectArgument::Schema => show::Subject::Schema,
            };
            let format = match format {
                ShowFormat::Text => show::Format::Text,
                ShowFormat::Markdown => show::Format::Markdown,
                ShowFormat::Json => show::Format::Json,
            };
            show::run(subject, name.as_deref(), format)
        }
        Command::Stats { inputs, json, pace } => {
            stats::run(&stats::Request { inputs: inputs.into(), json, pace: pace.into() })
        }
        Command::Assets { inputs, format, pace } => {
            let format = match format {
                AssetsFormat::Table => assets::Format::Table,
                AssetsFormat::Json => assets::Format::Json,
                AssetsFormat::Csv => assets::Format::Csv,
            };
            assets::run(&assets::Request { inputs: inputs.into(), format, pace: pace.into() })
        }
        Command::Points { inputs, json, pace } => {
            points::run(&points::Request { inputs: inputs.into(), json, pace: pace.into() })
        }
        Command::Explain { mut what, frame, policy, extent } => {
            let question = match frame {
                Some(frame) => explain::Question::Frame(frame),
                None => explain::Question::Alert(what.remove(0).to_string_lossy().into_owned()),
            };
            if what.is_empty() {
                return Err(Failure::Arguments("a capture is missing; see `yagura explain --help`".to_owned()));
            }
            explain::run(&question, &InputArguments { captures: what, policy, extent }.into())
        }
        Command::Run(asked) if asked.sandbox_selftest => run::sandbox_selftest(),
        Command::Run(asked) => run::run(&run::Request {
            config: asked.config.config,
            role: match asked.role {
                RoleArgument::Supervisor => run::Role::Supervisor,
                RoleArgument::Sensor => run::Role::Sensor,
                RoleArgument::Outputs => run::Role::Outputs,
            },
            print: asked.print,
            learn: asked.learn,
        }),
        Command::Prepare { interface } => run::prepare(&interface),
        Command::Doctor { interface, time } => run::doctor(&interface, time),
        Command::Journal { config, what } => journal::run(
            &config.config,
            &match what {
                JournalCommand::Verify { key, anchor } => journal::Request::Verify { key, anchor },
                JournalCommand::Query(asked) | JournalCommand::Export(asked) => journal::Request::Query(asked.into()),
                JournalCommand::Note { alert, by, text } => journal::Request::Note { alert, by, text },
                JournalCommand::Freeze { name, from, to } => journal::Request::Freeze(Hold { name, from, to }),
                JournalCommand::Thaw { name } => journal::Request::Thaw(name),
            },
        ),
        Command::TestAlert { config } => journal::test_alert(&config.config),
        Command::Diff { first, second } => diff::run(&first, &second),
    }
}

impl From<InputArguments> for Inputs {
    fn from(asked: InputArguments) -> Self {
        Self {
            captures: asked.captures,
            extent: Extent { until: asked.extent.until, frames: asked.extent.frames },
            site: asked.policy.site,
            baseline: asked.policy.baseline,
        }
    }
}

impl From<PaceArguments> for Pace {
    fn from(asked: PaceArguments) -> Self {
        let default = Self::default();
        let batch_frames = asked.batch.map_or(default.batch_frames, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Self { threads: asked.threads.map_or_else(threads, usize::from), batch_frames, enter: None }
    }
}

fn languages() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::NAMES).map(|name| Language::from_name(&name).unwrap_or_default())
}

fn severities() -> impl TypedValueParser<Value = Severity> {
    let names = Severity::ALL.map(Severity::name);
    PossibleValuesParser::new(names).map(|name| Severity::from_name(&name).unwrap_or(Severity::Critical))
}

fn class(name: &str) -> Result<Class, String> {
    Class::from_name(name).ok_or_else(|| "expected alert, disposition, health, audit, gap or checkpoint".to_owned())
}

fn journal_severity(name: &str) -> Result<yagura_journal::class::Severity, String> {
    let expected = || "expected info, low, medium, high or critical".to_owned();
    yagura_journal::class::Severity::from_name(name).ok_or_else(expected)
}

/// A length of time: a whole number and `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a length of time: give 60s, 90m, 24h or 7d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(|_| wrong())?;
    // Ten years are enough for anybody.
    match number.checked_mul(seconds) {
        Some(all @ 1..=315_360_000) => Ok(Duration::from_secs(all)),
        _ => Err(wrong()),
    }
}

/// A time: RFC 3339, or seconds since 1970 with at most nine decimals.
fn time(text: &str) -> Result<Timestamp, String> {
    let wrong = || "not a time: give 2026-01-05T10:11:12Z, or seconds since 1970".to_owned();
    if text.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.') {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        if part.is_empty() || part.len() > 9 || part.contains('.') {
            return Err(wrong());
        }
        let seconds: u64 = whole.parse().map_err(|_| wrong())?;
        let nanoseconds: u64 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
        let time = seconds.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(nanoseconds));
        return time.map(Timestamp).ok_or_else(wrong);
    }
    let instant: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    u64::try_from(instant.as_nanosecond()).map(Timestamp).map_err(|_| wrong())
}

/// What is wrong with the arguments, in one line.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty() && !line.starts_with("tip: to pass"))
        .collect();
    let command = text
        .lines()
        .find_map(|line| line.strip_prefix("Usage: yagura ")?.split(' ').next())
        .filter(|word| word.bytes().all(|octet| octet.is_ascii_lowercase()))
        .map(|word| format!("{word} "))
        .unwrap_or_default();
    // Without a command the whole help is rendered: its first line says what the program is, not what is wrong.
    let line = match error.kind() {
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command is given".to_owned(),
        _ => said.join(" ").replace(" tip: ", "; tip: "),
    };
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    format!("{}; see `yagura {command}--help`", visible(line.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Command, clap::Error> {
        Arguments::try_parse_from(["yagura"].iter().chain(arguments)).map(|parsed| parsed.command)
    }

    fn refused(arguments: &[&str]) -> String {
        in_one_line(&parse(arguments).unwrap_err())
    }

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn wrong_arguments_are_one_clear_line() {
        for (arguments, words) in [
            (&["replay", "a", "--nonsense"][..], "unexpected argument '--nonsense' found"),
            (&["replay"], "the following required arguments were not provided: <CAPTURE>"),
            (&["nonsense"], "unrecognized subcommand 'nonsense'"),
            (&[], "no command is given"),
            (&["replay", "a", "--until", "soon"], "not a time"),
            (&["replay", "a", "--until", "1", "--frames", "2"], "cannot be used with"),
            (&["replay", "a", "--fail-at", "awful"], "possible values: info, low, medium, high, critical"),
            (&["replay", "a", "--threads", "0"], "0 is not in 1..=256"),
            (&["learn", "a"], "--out <FILE>"),
            (&["replay", "a", "--a\u{202e}b"], "--a\\u{202e}b"),
        ] {
            let line = refused(arguments);
            assert!(line.contains(words), "{arguments:?}: {line}");
            assert!(!line.contains('\n') && line.ends_with("--help`"), "{line}");
        }
        let run_with = |arguments: &[&str]| run(arguments.iter().map(OsString::from));
        assert_eq!(run_with(&["yagura", "replay", "a", "--nonsense"]), MISUSED);
        assert_eq!(run_with(&["yagura", "explain", "OT-0001-1-0"]), MISUSED, "no capture");
        assert_eq!(run_with(&["yagura", "replay", "/nowhere/a.pcap"]), FAILED);
        assert_eq!(run_with(&["yagura", "show", "detections", "nonsense"]), MISUSED);
    }

    #[test]
    fn the_help_that_is_named_is_the_commands_own() {
        assert_eq!(
            refused(&["replay", "a", "--nonsense"]),
            "unexpected argument '--nonsense' found; see `yagura replay --help`"
        );
        assert_eq!(
            refused(&["replay", "a", "--frame", "1"]),
            "unexpected argument '--frame' found; tip: a similar argument exists: '--frames'; see `yagura replay --help`"
        );
        assert!(refused(&["nonsense"]).ends_with("; see `yagura --help`"));
    }

    #[test]
    fn times_are_read_both_ways() {
        let ten = Timestamp(1_767_607_872_000_000_000);
        for text in ["2026-01-05T10:11:12Z", "1767607872", "1767607872.0", "2026-01-05T11:11:12+01:00"] {
            assert_eq!(time(text), Ok(ten), "{text}");
        }
        assert_eq!(time("0.5"), Ok(Timestamp(500_000_000)));
        assert_eq!(time("0.000000001"), Ok(Timestamp(1)));
        for text in [
            "",
            ".",
            "1.",
            "1.2.3",
            "0.0000000001",
            "99999999999",
            "-1",
            "soon",
            "2026-01-05T10:11:12",
            "1969-01-01T00:00:00Z",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, seconds) in [("60s", 60), ("90m", 5_400), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "s", "60", "0s", "-1m", "1.5h", "1w", "99999999999999999999d", "4000d", "１s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn choices_become_what_the_commands_take() {
        let Ok(Command::Replay(asked)) =
            parse(&["replay", "a", "b", "--lang", "both", "--fail-at", "high", "--threads", "3"])
        else {
            panic!()
        };
        assert_eq!((asked.lang, asked.fail_at), (Language::Both, Some(Severity::High)));
        assert_eq!(Pace::from(asked.pace).threads, 3);
        assert_eq!(Inputs::from(asked.inputs).captures.len(), 2);
    }
}
