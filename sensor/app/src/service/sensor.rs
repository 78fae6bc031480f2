//! The sensor process: opens what it needs, gives up what it needs no more, and listens until it is told to end.

use super::config::Configuration;
use super::health::{CaptureShape, Delays, Health, Stage};
use super::scribe::{self, Desk, Ledger, Note, Scribe};
use super::source::{Feed, LiveSource};
use super::supervisor::Signals;
use super::{facts, inbox, wall_ns};
use crate::capture::source::Fill;
use crate::commands::analysis::{Inputs, digests, setup, source};
use crate::commands::{DONE, FAILED, Failure, Outcome, say};
use crate::pipeline::{self, Pace};
use crate::record::SCHEMA;
use crate::record::alert::AlertRecord;
use crate::record::write::{line, time, visible};
use crossbeam_channel::Sender;
use serde::Serialize;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use yagura_core::analyzer::{Report, Setup};
use yagura_journal::class::{Class, Severity};
use yagura_journal::journal::Journal;
use yagura_journal::key::Key;
use yagura_journal::storage::Disk;
use yagura_live::capture::{LiveCapture, Settings};
use yagura_live::finding::{Finding, Grade};
use yagura_live::hand_over::{Bounds, Gauge, hand_over};
use yagura_live::interface::{Interface, LinkState};
use yagura_live::listen::listen;
use yagura_live::prepare;
use yagura_live::transmitted::Transmitted;
use yagura_rules::facts::event::{EventKind, SensorFault};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::policy::Policy;
use yagura_sandbox::Role;
use yagura_sandbox::notify::Notifier;
use yagura_sandbox::paths::{Reach, confine};
use yagura_sandbox::privileges;
use yagura_sandbox::seccomp::{Descriptors, Filter};
use yagura_sandbox::watchdog::{Pulse, Watchdog};

/// Between two looks at signals, counters and threads.
const LOOK: Duration = Duration::from_millis(100);
/// Between two health records.
const HEALTH: Duration = Duration::from_secs(60);
/// Between two looks at what this machine sent on a monitored interface.
const SENT: Duration = Duration::from_secs(5);
/// A thread that has work and does not move for so long hangs.
const HANGS: Duration = Duration::from_secs(4);
/// Open files and sockets at most.
const DESCRIPTORS: u64 = 1_024;
/// Facts that wait for the pipeline at most.
const FACTS_WAITING: usize = 256;

/// What is asked of one run beside the configuration.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Print records once they are acknowledged.
    pub print: bool,
    /// Learn for so long what is usual, write it as a baseline, and end.
    pub learn: Option<Duration>,
}

/// A record of who did what with the sensor.
#[derive(Serialize)]
struct AuditRecord<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: u32,
    time: String,
    action: &'a str,
    by: &'a str,
    detail: &'a str,
}

/// An audit record of now.
pub fn audit(action: &str, by: &str, detail: &str) -> Note {
    let now = wall_ns();
    let record =
        AuditRecord { kind: "audit", schema: SCHEMA, time: time(Timestamp(now)), action, by, detail: &visible(detail) };
    Note { class: Class::Audit, severity: None, record: line(&record), captured_ns: 0 }
}

/// An interface at work.
struct Port {
    interface: String,
    gauge: Arc<Gauge>,
    thread: JoinHandle<Result<(), yagura_live::error::Error>>,
}

/// Runs the process.
///
/// # Errors
/// Where files, interfaces or the journal cannot be had, or a right cannot be given up.
pub fn run(path: &Path, configuration: &Configuration, request: &Request) -> Outcome {
    let signals = Signals::register()?;
    let policy = policy(configuration)?;
    let name = sensor_name(configuration, &policy);
    let run_name = format!("{:x}", wall_ns());
    make_folders(configuration)?;
    let inbox = inbox::make(configuration)?;
    for capture in &configuration.capture {
        for finding in prepare::check(&capture.interface).map_err(|error| Failure::World(error.to_string()))? {
            say_of(&capture.interface, &finding);
        }
    }
    let mut captures = Vec::new();
    for (index, capture) in configuration.capture.iter().enumerate() {
        let settings = Settings {
            capture: u16::try_from(index).unwrap_or(u16::MAX),
            filter: capture.filter.clone(),
            snap_length: capture.snap_length,
            ring_octets: capture.ring_mib.saturating_mul(1 << 20),
            ..Settings::of(&capture.interface)
        };
        captures.push(LiveCapture::open(settings).map_err(|error| Failure::World(error.to_string()))?);
    }
    let interfaces = configuration.interfaces();
    let mut sent =
        Transmitted::of(interfaces.iter().map(String::as_str)).map_err(|error| Failure::World(error.to_string()))?;
    let notifier = Notifier::over_the_parent().map_err(|error| Failure::World(format!("systemd: {error}")))?;
    give_up(configuration)?;
    let journal = open_journal(configuration, &name, &run_name)?;
    let confined = confine(&reach(path, configuration, &policy)).map_err(|error| Failure::World(error.to_string()))?;
    say(&format!("yagura: sensor `{}`: {}\n", visible(&name), confined.in_force));

    let sockets: Vec<BorrowedFd<'_>> = captures.iter().filter_map(LiveCapture::socket).collect();
    let filter = |role| Filter::new(role, &Descriptors { capture_sockets: &sockets, ..Descriptors::default() });
    let world = |error: yagura_sandbox::Error| Failure::World(error.to_string());
    let _ = PARSE_FILTER.set(filter(Role::Parse).map_err(world)?);
    let (of_capture, of_journal) = (filter(Role::Capture).map_err(world)?, filter(Role::Journal).map_err(world)?);
    drop(sockets);

    // From the far end: who takes is there before who gives.
    let (delays, ledger) = (Delays::default(), Ledger::default());
    let pulses = [Pulse::new("journal"), Pulse::new("parse")];
    let [journal_pulse, parse_pulse] = pulses.clone();
    let mut watchdog = Watchdog::new(HANGS, pulses);
    let scribe =
        Scribe { journal, print: request.print, delays: delays.clone(), pulse: journal_pulse, ledger: ledger.clone() };
    let no_thread = |error| Failure::World(format!("the system gives no thread: {error}"));
    let entered = contain(of_journal.clone());
    let (desk, scribe) = scribe::start(scribe, entered).map_err(no_thread)?;
    desk.write(audit("run_started", "yagura", &format!("version {}", env!("CARGO_PKG_VERSION"))));
    let ends = Arc::new(AtomicBool::new(false));
    let (facts_in, facts_out) = crossbeam_channel::bounded(FACTS_WAITING);
    let mut ports = Vec::new();
    let mut feeds = Vec::new();
    for (mut capture, of) in captures.into_iter().zip(&configuration.capture) {
        let (mut giver, taker) = hand_over(Bounds::default());
        let gauge = taker.gauge();
        feeds.push(Feed::new(taker));
        let (stop, entered) = (Arc::clone(&ends), contain(of_capture.clone()));
        let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || {
            entered();
            let listened = listen(&mut capture, &mut giver, &stop);
            giver.finish(Duration::from_secs(2));
            listened
        });
        ports.push(Port { interface: of.interface.clone(), gauge, thread: thread.map_err(no_thread)? });
    }
    let alerts = Arc::new(AtomicU64::new(0));
    let listening = Listening {
        source: LiveSource {
            feeds,
            facts: facts_out,
            ends: Arc::clone(&ends),
            delays: delays.clone(),
            pulse: parse_pulse,
            batches: 0,
        },
        setup: Setup { learn: request.learn.is_some(), ..setup(&policy) },
        pace: Pace { threads: configuration.threads, enter: Some(enter_parse), ..Pace::default() },
        policy,
        interfaces,
        language: configuration.language,
        desk: desk.clone(),
        delays: delays.clone(),
        alerts: Arc::clone(&alerts),
    };
    let parse =
        std::thread::Builder::new().name("parse".to_owned()).spawn(move || listening.run()).map_err(no_thread)?;
    contain(of_journal)();
    let health = Health { sensor: name, run: run_name, begun: Instant::now(), delays, ledger };
    let mut watch = Watch { sent_in_all: vec![0; ports.len()], health, ports, alerts, desk: desk.clone() };
    notifier.ready();
    say("yagura: listening\n");

    let begun = Instant::now();
    let (mut told_health, mut looked_sent) = (Instant::now(), Instant::now());
    let (mut gone, mut storage) = (false, Storage::default());
    while !signals.ends.load(Ordering::Relaxed) && !parse.is_finished() {
        std::thread::sleep(LOOK);
        if request.learn.is_some_and(|time| begun.elapsed() >= time) {
            break;
        }
        if signals.reload.swap(false, Ordering::Relaxed) {
            notifier.reloading();
            reload(configuration, &facts_in, &desk);
            notifier.ready();
        }
        for (file, note) in inbox::take(&inbox) {
            desk.write(note);
            // Removed at once: should the sensor end before it is written, it is lost; the other way it would come twice.
            let _ = std::fs::remove_file(file);
        }
        if let Some(fault) = storage.fault(&watch.health.ledger) {
            // Where the pipeline is so far behind, the next look tells of it.
            storage.told = facts_in.try_send(Fill::Fact(fault)).is_ok();
        }
        if looked_sent.elapsed() >= SENT {
            looked_sent = Instant::now();
            if let Some(port) = watch.ports.iter().find(|port| port.link() == LinkState::Removed) {
                // The right to open it anew was given up: the service manager starts a process that has it.
                say(&format!(
                    "yagura: {}: the interface is gone; this process ends to be started anew\n",
                    visible(&port.interface)
                ));
                desk.write(audit("interface_gone", "yagura", &port.interface));
                gone = true;
                break;
            }
            for transmission in sent.look() {
                let capture = watch.sent(&transmission.interface, transmission.frames_in_all);
                // Where the pipeline is so far behind, the next look tells of it again.
                let _ = facts_in.try_send(Fill::Fact(facts::transmitted(capture, &transmission)));
            }
        }
        if told_health.elapsed() >= HEALTH {
            told_health = Instant::now();
            watch.tell(watch.shapes());
        }
        let stuck = watchdog.look(begun.elapsed());
        match stuck.first() {
            None => notifier.watchdog(),
            // systemd ends a process whose watchdog is not fed, and starts it anew; without systemd this does it.
            Some(stuck) => {
                say(&format!("yagura: {stuck}\n"));
                let _ =
                    facts_in.try_send(Fill::Fact(facts::fault(SensorFault::Hang, &stuck.thread, &stuck.to_string())));
                desk.write(audit("hang", "yagura", &stuck.to_string()));
                if notifier.watchdog_interval().is_none() {
                    std::thread::sleep(Duration::from_secs(1));
                    std::process::abort();
                }
            }
        }
    }
    notifier.stopping();
    ends.store(true, Ordering::Relaxed);
    let died = |_| Failure::World("a thread of the sensor died; see the line above".to_owned());
    let shapes = watch.shapes();
    for port in std::mem::take(&mut watch.ports) {
        if let Err(error) = port.thread.join().map_err(died)? {
            say(&format!("yagura: {}: {error}\n", visible(&port.interface)));
        }
    }
    let report = parse.join().map_err(died)?;
    if request.learn.is_some() {
        write_baseline(configuration, &report, &desk)?;
    }
    watch.tell(shapes);
    desk.write(audit("run_ended", "yagura", ""));
    drop((desk, watch));
    scribe.join().map_err(died)?;
    say(&crate::commands::words::summary(&report, 0));
    Ok(if gone { FAILED } else { DONE })
}

/// Whether it was told that the disk takes nothing.
#[derive(Debug, Default)]
struct Storage {
    told: bool,
}

impl Storage {
    /// The fault that is to be told now, if the disk takes nothing and that was not told since it last did.
    fn fault(&mut self, ledger: &Ledger) -> Option<EventKind> {
        let trouble = ledger.status().and_then(|status| status.trouble);
        self.told &= trouble.is_some();
        trouble
            .filter(|_| !self.told)
            .map(|trouble| facts::fault(SensorFault::StorageFull, "journal", &trouble.to_string()))
    }
}

/// The pipeline's thread.
struct Listening {
    source: LiveSource,
    setup: Setup,
    pace: Pace,
    policy: Policy,
    interfaces: Vec<String>,
    language: crate::record::Language,
    desk: Desk,
    delays: Delays,
    alerts: Arc<AtomicU64>,
}

impl Listening {
    fn run(mut self) -> Report {
        let shared = source(&self.policy, &self.interfaces, self.language, None);
        let (desk, delays, count) = (&self.desk, &self.delays, &self.alerts);
        let mut tell = |alerts: Vec<yagura_rules::alert::Alert>| {
            for alert in &alerts {
                count.fetch_add(1, Ordering::Relaxed);
                delays.note(Stage::Judge, wall_ns().saturating_sub(alert.time.0));
                desk.write(Note {
                    class: Class::Alert,
                    severity: Severity::from_name(alert.severity.name()),
                    record: AlertRecord::line(alert, &shared),
                    captured_ns: alert.time.0,
                });
            }
        };
        let (report, _) = pipeline::analyze(self.setup, &mut self.source, self.pace, &mut tell, &mut |_| {});
        report
    }
}

/// What the main thread looks after.
struct Watch {
    health: Health,
    ports: Vec<Port>,
    sent_in_all: Vec<u64>,
    alerts: Arc<AtomicU64>,
    desk: Desk,
}

impl Watch {
    /// Notes what was sent on an interface; answers which capture that is.
    fn sent(&mut self, interface: &str, frames: u64) -> u16 {
        let port = self.ports.iter().position(|port| port.interface == interface).unwrap_or(0);
        if let Some(sent) = self.sent_in_all.get_mut(port) {
            *sent = frames;
        }
        u16::try_from(port).unwrap_or(u16::MAX)
    }

    fn shapes(&self) -> Vec<CaptureShape> {
        self.ports.iter().zip(&self.sent_in_all).map(|(port, sent)| port.shape(*sent)).collect()
    }

    fn tell(&self, captures: Vec<CaptureShape>) {
        let record = self.health.record(wall_ns(), captures, self.alerts.load(Ordering::Relaxed));
        self.desk.write(Note { class: Class::Health, severity: None, record, captured_ns: 0 });
    }
}

impl Port {
    /// The state of its link now.
    fn link(&self) -> LinkState {
        let link = Interface::named(&self.interface).and_then(|interface| interface.link());
        link.map_or(LinkState::Removed, |link| link.state)
    }

    fn shape(&self, sent: u64) -> CaptureShape {
        let link = match self.link() {
            LinkState::Up => "up",
            LinkState::NoCarrier => "no_carrier",
            LinkState::Disabled => "disabled",
            LinkState::Removed => "removed",
        };
        CaptureShape::new(&self.interface, link, self.gauge.lost_elsewhere(), self.gauge.counted(), sent)
    }
}

/// What the operator's files say.
fn policy(configuration: &Configuration) -> Result<Policy, Failure> {
    Inputs { site: configuration.site.clone(), baseline: configuration.baseline(), ..Inputs::default() }.policy()
}

/// The sensor's name: the configuration's, the site file's, or the machine's.
fn sensor_name(configuration: &Configuration, policy: &Policy) -> String {
    let own = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    configuration.sensor.clone().or_else(|| policy.sensor.clone()).unwrap_or_else(own)
}

fn make_folders(configuration: &Configuration) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    for folder in [configuration.state.clone(), configuration.journal_folder(), configuration.cursors_folder()] {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(&folder);
        made.map_err(|error| Failure::of_file(&folder, "cannot be made", &error))?;
    }
    let Some((user, group)) = becomes(configuration)? else { return Ok(()) };
    for folder in [configuration.state.clone(), configuration.journal_folder(), configuration.cursors_folder()] {
        std::os::unix::fs::chown(&folder, Some(user), Some(group))
            .map_err(|error| Failure::of_file(&folder, "cannot be given to the sensor's user", &error))?;
    }
    Ok(())
}

/// The user and group that the process is to become, where it is root and a user is named.
fn becomes(configuration: &Configuration) -> Result<Option<(u32, u32)>, Failure> {
    let Some(name) = configuration.user.as_deref().filter(|_| privileges::is_root()) else { return Ok(None) };
    match privileges::account(name) {
        Ok(Some(account)) => Ok(Some(account)),
        Ok(None) => Err(Failure::World(format!("user: there is no account `{}` on this machine", visible(name)))),
        Err(error) => Err(Failure::World(format!("/etc/passwd: cannot be read: {error}"))),
    }
}

/// Gives up all rights that a process needs no more, before it starts threads.
///
/// # Errors
/// Where one is left.
pub fn give_up(configuration: &Configuration) -> Result<(), Failure> {
    let world = |error: yagura_sandbox::Error| Failure::World(error.to_string());
    if let Some((user, group)) = becomes(configuration)? {
        privileges::become_user(user, group).map_err(world)?;
    }
    privileges::keep_none().map_err(world)?;
    let bounds = privileges::Bounds { descriptors: Some(DESCRIPTORS), ..privileges::Bounds::default() };
    privileges::limit(&bounds).map_err(world)
}

fn open_journal(configuration: &Configuration, name: &str, run: &str) -> Result<Journal<Disk>, Failure> {
    let folder = configuration.journal_folder();
    let (key, made) = Key::load_or_create(&configuration.key()).map_err(|error| Failure::World(error.to_string()))?;
    if made {
        let public = key.public().to_hex();
        say(&format!("yagura: a key was made for the journal; keep its public half elsewhere: {public}\n"));
    }
    let disk =
        Disk::open(&folder).map_err(|error| Failure::of_file(&folder, "the journal cannot be opened", &error))?;
    let settings = configuration.journal_settings(name, run);
    let (journal, recovery) = Journal::open(settings, disk, key, wall_ns())
        .map_err(|error| Failure::World(format!("{}: {error}", folder.display())))?;
    for torn in &recovery.torn {
        let kept = torn.kept.as_deref().unwrap_or("nowhere");
        say(&format!(
            "yagura: journal: {} octets of {} had no end and were cut off; kept in {kept}\n",
            torn.octets, torn.file
        ));
    }
    if let Some(damage) = &recovery.damage {
        say(&format!(
            "yagura: journal: {} line {}: {}; see `yagura journal verify`\n",
            damage.file, damage.line, damage.why
        ));
    }
    Ok(journal)
}

/// What the process may read and write.
fn reach(path: &Path, configuration: &Configuration, policy: &Policy) -> Reach {
    let mut read: Vec<PathBuf> = vec![path.to_owned(), PathBuf::from("/proc/self"), PathBuf::from("/sys/class/net")];
    read.push(PathBuf::from("/sys/devices"));
    // Folders rather than files: an editor puts a new file in the place of the old one.
    let files = policy.files.iter().map(|file| PathBuf::from(file.name())).filter(|file| file.exists());
    read.extend(files.chain(configuration.site.clone()).map(|file| match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }));
    Reach { read, write: vec![configuration.state.clone()], network: false }
}

/// The filter of the threads of the pipeline: a process has one sensor.
static PARSE_FILTER: OnceLock<Filter> = OnceLock::new();

/// What each thread of the pipeline does once all of them run.
fn enter_parse() {
    if let Some(filter) = PARSE_FILTER.get() {
        contain(filter.clone())();
    }
}

/// What a thread does first: it puts itself under its filter. Without it, it does not go on.
fn contain(filter: Filter) -> impl FnOnce() + Send + 'static {
    move || {
        if let Err(error) = filter.apply() {
            say(&format!("yagura: {error}\n"));
            std::process::abort();
        }
    }
}

/// Reads the operator's files again; wrong ones change nothing.
fn reload(configuration: &Configuration, facts: &Sender<Fill>, desk: &Desk) {
    match policy(configuration) {
        Ok(policy) => {
            let files = digests(&policy).iter().map(line).collect::<Vec<_>>().join(" ");
            let taken = facts.send(Fill::Policy(Box::new(policy))).is_ok();
            say(if taken {
                "yagura: site file and baseline were read again\n"
            } else {
                "yagura: nothing was reloaded\n"
            });
            desk.write(audit("reloaded", "SIGHUP", &files));
        }
        Err(Failure::World(error)) => {
            say(&format!("yagura: not reloaded, the files of before stay in force: {error}\n"));
            desk.write(audit("reload_refused", "SIGHUP", &error));
        }
        Err(_) => {}
    }
}

fn write_baseline(configuration: &Configuration, report: &Report, desk: &Desk) -> Result<(), Failure> {
    let learnt = report.learnt.clone().unwrap_or_default();
    let out = configuration.state.join("baseline.toml");
    crate::commands::learn::write(&out, &learnt.to_toml())?;
    say(&format!("yagura: baseline {}: {} facts; read it before it judges\n", out.display(), learnt.len()));
    desk.write(audit("learnt", "yagura", &format!("{} facts in {}", learnt.len(), out.display())));
    Ok(())
}

fn say_of(interface: &str, finding: &Finding) {
    if finding.grade != Grade::Fact {
        say(&format!("yagura: {}: {finding}\n", visible(interface)));
    }
}
