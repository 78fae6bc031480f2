//! `yagura journal` and `yagura test-alert`: what stands in the journal, whether it is genuine, and what people add to it.

use super::analysis::source;
use super::{DONE, FAILED, Failure, Outcome, print, say};
use crate::record::alert::AlertRecord;
use crate::record::write::{line, time, visible};
use crate::record::{Language, SCHEMA};
use crate::service::config::Configuration;
use crate::service::scribe::Note;
use crate::service::sensor::audit;
use crate::service::{inbox, wall_ns};
use serde::Serialize;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use yagura_journal::class::{Class, Severity};
use yagura_journal::hash::Hash;
use yagura_journal::hold::{self, Hold};
use yagura_journal::key::PublicKey;
use yagura_journal::query::{ExportError, Filter};
use yagura_journal::storage::Folder;
use yagura_journal::verify::{Against, Verdict, verify};
use yagura_rules::alert::{Alert, AlertId};
use yagura_rules::facts::event::{Event, EventId, EventKind, FrameRef};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::Basis;
use yagura_rules::policy::Policy;
use yagura_rules::rule::{Card, Finding, Param, Text};

/// Text of a note at most, in octets.
const NOTE_OCTETS_MAX: usize = 8_192;

/// What `yagura journal` is asked.
#[derive(Debug, Clone)]
pub enum Request {
    /// Whether the journal is genuine.
    Verify {
        /// A public key kept elsewhere; by default the one beside the journal's.
        key: Option<PathBuf>,
        /// A number and hash kept elsewhere: `NUMBER:HASH`.
        anchor: Option<String>,
    },
    /// Records that match, on standard output.
    Query(Filter),
    /// What was done about an alert.
    Note {
        /// The alert's id.
        alert: String,
        /// Who did it.
        by: String,
        /// What.
        text: String,
    },
    /// A range that is kept whatever the quota says.
    Freeze(Hold),
    /// It is kept no longer.
    Thaw(String),
}

/// Runs the command. Who asks is written into the journal.
///
/// # Errors
/// Where the journal cannot be read, or does not take what is added.
pub fn run(config: &Path, request: &Request) -> Outcome {
    let configuration = Configuration::read(config)?;
    let folder = configuration.journal_folder();
    let by = caller();
    match request {
        Request::Verify { key, anchor } => {
            let verdict = verified(&configuration, key.as_deref(), anchor.as_deref())?;
            print(&words(&verdict))?;
            let result = format!("{} records, {} faults", verdict.records, verdict.faults_total);
            note(&configuration, &audit("journal_verified", &by, &result))?;
            Ok(if verdict.is_clean() { DONE } else { FAILED })
        }
        Request::Query(filter) => {
            let mut output = io::BufWriter::new(io::stdout().lock());
            let matches = filter.export(Folder::new(&folder), &mut output).map_err(|error| match error {
                ExportError::Write(error) => Failure::of_output(&error),
                ExportError::Read(error) => Failure::World(error.to_string()),
            })?;
            drop(output);
            say(&format!("{} of {} records; {} are no longer there\n", matches.matched, matches.seen, matches.lost));
            note(&configuration, &audit("journal_exported", &by, &format!("{} records", matches.matched)))?;
            Ok(DONE)
        }
        Request::Note { alert, by: who, text } => disposition(&configuration, alert, who, text),
        Request::Freeze(hold) => {
            hold::freeze(&folder, hold.clone())
                .map_err(|error| Failure::of_file(&folder, "cannot be frozen", &error))?;
            let range = format!("{}: {} to {}", hold.name, hold.from, hold.to);
            note(&configuration, &audit("journal_frozen", &by, &range))?;
            Ok(DONE)
        }
        Request::Thaw(name) => {
            let was =
                hold::thaw(&folder, name).map_err(|error| Failure::of_file(&folder, "cannot be thawed", &error))?;
            if !was {
                return Err(Failure::World(format!("nothing is frozen under the name `{}`", visible(name))));
            }
            note(&configuration, &audit("journal_thawed", &by, name))?;
            Ok(DONE)
        }
    }
}

/// Sends a marked alert through every output.
///
/// # Errors
/// Where it cannot be handed in.
pub fn test_alert(config: &Path) -> Outcome {
    let configuration = Configuration::read(config)?;
    let now = Timestamp(wall_ns());
    let record = test_record(now, &caller(), configuration.language);
    let alert = Note { class: Class::Alert, severity: Some(Severity::Info), record, captured_ns: 0 };
    note(&configuration, &alert)?;
    print("a test alert (OT-0000) is on its way to every output that takes alerts of severity info\n")?;
    Ok(DONE)
}

/// The test alert as a record.
fn test_record(now: Timestamp, by: &str, language: Language) -> String {
    static CARD: Card = Card {
        id: "OT-0000",
        name: "test_alert",
        severity: yagura_rules::rule::Severity::Info,
        attack: &[],
        serves: &[],
        what: Text {
            en: "A test of the outputs: nothing was observed.",
            ja: "出力先の試験です。何も検知していません。",
        },
        why: Text {
            en: "Whether alerts arrive is known only once one did.",
            ja: "警報が届くことは、届いて初めて確かめられます。",
        },
        benign: Text { en: "It is always harmless.", ja: "常に無害です。" },
        response: Text {
            en: "Tell whoever sent it that it arrived.", ja: "送信者に届いたことを伝えてください。"
        },
        settings: &[],
    };
    static TEXT: Text = Text {
        en: "test alert, sent by {by}; nothing was observed",
        ja: "{by} が送った試験用の警報です（検知ではありません）",
    };
    let id = EventId { frame: 0, ordinal: 0 };
    let origin = FrameRef { capture: 0, frame: 0 };
    let finding = Finding {
        text: &TEXT,
        params: vec![("by", Param::Text(by.to_owned()))],
        subject: "test_alert".to_owned(),
        severity: None,
        basis: Basis::None,
        flow: None,
        assets: Vec::new(),
        earlier: Vec::new(),
    };
    let alert = Alert {
        card: &CARD,
        id: AlertId { detection: CARD.id, event: id, finding: 0 },
        time: now,
        origin,
        severity: CARD.severity,
        finding,
        event: Event { id, origin, time: now, flow: None, kind: EventKind::Tick },
        repeats: 0,
        closes: None,
    };
    let policy = Policy::default();
    AlertRecord::line(&alert, &source(&policy, &[], language, None))
}

/// What was done about an alert.
#[derive(Serialize)]
struct DispositionRecord<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: u32,
    time: String,
    alert: &'a str,
    by: &'a str,
    text: &'a str,
}

fn disposition(configuration: &Configuration, alert: &str, by: &str, text: &str) -> Outcome {
    if text.is_empty() || text.len() > NOTE_OCTETS_MAX || by.is_empty() || by.len() > 256 || alert.len() > 256 {
        return Err(Failure::Arguments(format!(
            "a note needs --by (at most 256 octets) and --text (at most {NOTE_OCTETS_MAX})"
        )));
    }
    let filter = Filter { classes: vec![Class::Alert], id: Some(alert.to_owned()), ..Filter::default() };
    let folder = Folder::new(&configuration.journal_folder());
    let mut found = false;
    let queried = filter.query(folder, |_| {
        found = true;
        std::ops::ControlFlow::Break(())
    });
    queried.map_err(|error| Failure::World(error.to_string()))?;
    if !found {
        return Err(Failure::World(format!(
            "the journal has no alert `{}`; give its id or that of its envelope",
            visible(alert)
        )));
    }
    let record =
        DispositionRecord { kind: "disposition", schema: SCHEMA, time: time(Timestamp(wall_ns())), alert, by, text };
    note(configuration, &Note { class: Class::Disposition, severity: None, record: line(&record), captured_ns: 0 })?;
    Ok(DONE)
}

/// Hands a record in, and says so where it is not in the journal yet.
fn note(configuration: &Configuration, note: &Note) -> Result<(), Failure> {
    if !inbox::hand_in(configuration, "yagura", note)? {
        say("handed to the sensor that runs\n");
    }
    Ok(())
}

/// Who calls, as the system knows it.
fn caller() -> String {
    let id = rustix::process::getuid().as_raw();
    let names = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = names.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {id}"))
}

fn verified(configuration: &Configuration, key: Option<&Path>, anchor: Option<&str>) -> Result<Verdict, Failure> {
    let folder = configuration.journal_folder();
    let beside = {
        let mut path = configuration.key().into_os_string();
        path.push(".pub");
        PathBuf::from(path)
    };
    let keys = match key {
        Some(path) => vec![PublicKey::load(path).map_err(|error| Failure::World(error.to_string()))?],
        None => PublicKey::load(&beside).into_iter().collect(),
    };
    let anchor = anchor.map(|text| {
        let parsed = text
            .split_once(':')
            .and_then(|(number, hash)| Some((number.parse().ok()?, Hash::from_hex(hash.as_bytes())?)));
        parsed.ok_or_else(|| Failure::Arguments(format!("--anchor `{}`: expected NUMBER:HASH", visible(text))))
    });
    let against = Against { keys, anchor: anchor.transpose()? };
    verify(&Folder::new(&folder), &against).map_err(|error| Failure::of_file(&folder, "cannot be read", &error))
}

/// A verdict for people.
fn words(verdict: &Verdict) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} records in {} octets", verdict.records, verdict.octets);
    if let Some((number, hash)) = verdict.last {
        let _ = writeln!(text, "last record {number}; its anchor, to keep elsewhere: {number}:{}", hash.to_hex());
    }
    let signed = verdict.signed_to.map_or_else(|| "none".to_owned(), |to| format!("up to record {to}"));
    let _ = writeln!(text, "{} signatures hold: {signed}", verdict.checkpoints);
    if verdict.removed.records > 0 {
        let _ =
            writeln!(text, "{} records were given up for quota or age, as the journal tells", verdict.removed.records);
    }
    if verdict.lost.total() > 0 {
        let _ = writeln!(
            text,
            "{} records were never written for want of room, as the journal tells",
            verdict.lost.total()
        );
    }
    for (from, to) in &verdict.damaged {
        let _ = writeln!(text, "DAMAGED: records {from} to {to}");
    }
    for fault in &verdict.faults {
        let _ = writeln!(text, "FAULT: {fault}");
    }
    for unknown in verdict.unknown() {
        let _ = writeln!(text, "not known: {unknown}");
    }
    let _ = writeln!(
        text,
        "{}",
        if verdict.is_clean() { "The journal is in order." } else { "The journal is NOT in order." }
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::tests::assert_valid;

    #[test]
    fn what_people_add_is_what_the_schemas_say() {
        assert_valid("audit", &audit("journal_verified", "root", "3 records, 0 faults").record);
        for language in [Language::English, Language::Japanese, Language::Both] {
            let record = test_record(Timestamp(1_767_607_872_000_000_000), "r\u{1b}oot", language);
            assert_valid("alert", &record);
            assert!(record.contains("OT-0000") && !record.contains('\u{1b}'), "{record}");
        }
        let disposition = DispositionRecord {
            kind: "disposition",
            schema: SCHEMA,
            time: time(Timestamp(1_767_607_872_000_000_000)),
            alert: "OT-0006-3231-1",
            by: "N. Sato",
            text: "Switched off.",
        };
        assert_valid("disposition", &line(&disposition));
    }

    #[test]
    fn a_note_is_about_an_alert_that_there_is() {
        let state = std::env::temp_dir().join(format!("yagura-note-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir_all(state.join("journal")).unwrap();
        let config = state.join("yagura.toml");
        let text = format!("state = \"{}\"\n[[capture]]\ninterface = \"eth1\"\n", state.display());
        std::fs::write(&config, text).unwrap();
        assert_eq!(test_alert(&config), Ok(DONE));
        let ask = |alert: &str, text: &str| {
            let request = Request::Note { alert: alert.to_owned(), by: "N. Sato".to_owned(), text: text.to_owned() };
            run(&config, &request)
        };
        assert_eq!(ask("OT-0000-0-0", "It arrived."), Ok(DONE));
        assert!(matches!(ask("OT-0001-1-0", "x"), Err(Failure::World(line)) if line.contains("no alert")));
        assert!(matches!(ask("OT-0000-0-0", ""), Err(Failure::Arguments(_))));
        assert_eq!(run(&config, &Request::Verify { key: None, anchor: None }), Ok(DONE));
        let anchor = Some("1:00".to_owned());
        assert!(matches!(run(&config, &Request::Verify { key: None, anchor }), Err(Failure::Arguments(_))));
    }
}
