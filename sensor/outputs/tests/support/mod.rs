//! What the tests of the outputs share: a journal in memory, receivers on loopback, drivers in a hurry.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use yagura_outputs::driver::{Choice, Driver, Pace};
use yagura_outputs::feed::{Feed, FeedError, Step};
use yagura_outputs::record::Entry;
use yagura_outputs::settings::OutputSettings;
use yagura_outputs::sink;
use yagura_outputs::status::{Board, State, Status};
use yagura_outputs::writing;

/// A line of a journal as it would be written.
pub fn entry(sequence: u64, class: &str, severity: &str) -> Entry {
    Entry::parse(&format!(
        "{{\"sequence\":{sequence},\"id\":\"pump-4/01HX/{sequence}\",\"written\":\"2026-01-05T10:11:13.000000001Z\",\
         \"class\":\"{class}\",\"previous\":\"00\",\"record\":{{\"type\":\"{class}\",\"severity\":{severity},\
         \"time\":\"2026-01-05T10:11:12.5Z\",\"summary\":\"number {sequence}\"}}}}"
    ))
    .unwrap()
}

/// The alerts 1 to so many.
pub fn alerts(count: u64) -> Vec<Entry> {
    (1..=count).map(|sequence| entry(sequence, "alert", "\"high\"")).collect()
}

/// A journal in memory with one cursor.
#[derive(Default)]
pub struct Journal {
    pub steps: Vec<Step>,
    pub position: usize,
    pub acknowledged: u64,
    pub acknowledgements: usize,
    pub broken: bool,
}

#[derive(Clone, Default)]
pub struct Memory(pub Arc<Mutex<Journal>>);

impl Memory {
    pub fn of(entries: Vec<Entry>) -> Self {
        let steps = entries.into_iter().map(|entry| Step::Entry(Box::new(entry))).collect();
        Self(Arc::new(Mutex::new(Journal { steps, ..Journal::default() })))
    }

    pub fn acknowledged(&self) -> u64 {
        self.0.lock().unwrap().acknowledged
    }

    pub fn add(&self, step: Step) {
        self.0.lock().unwrap().steps.push(step);
    }

    /// As after a start: reading goes on behind the cursor.
    pub fn restart(&self) {
        let mut journal = self.0.lock().unwrap();
        let done = journal.acknowledged;
        journal.position = journal
            .steps
            .iter()
            .take_while(|step| match step {
                Step::Entry(entry) => entry.sequence <= done,
                Step::Lost { to, .. } => *to <= done,
                Step::Nothing => true,
            })
            .count();
    }
}

impl Feed for Memory {
    fn next(&mut self) -> Result<Step, FeedError> {
        let mut journal = self.0.lock().unwrap();
        if journal.broken {
            return Err(FeedError("out of reach".to_owned()));
        }
        let step = journal.steps.get(journal.position).cloned().unwrap_or(Step::Nothing);
        if step != Step::Nothing {
            journal.position += 1;
        }
        Ok(step)
    }

    fn acknowledge(&mut self, sequence: u64) -> Result<(), FeedError> {
        let mut journal = self.0.lock().unwrap();
        if journal.broken {
            return Err(FeedError("out of reach".to_owned()));
        }
        assert!(sequence > journal.acknowledged, "a cursor never goes back");
        journal.acknowledged = sequence;
        journal.acknowledgements += 1;
        Ok(())
    }
}

/// Pauses for tests.
pub fn hurry() -> Pace {
    Pace {
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        poll: Duration::from_millis(10),
        keep: Duration::from_millis(10),
    }
}

pub fn settings(text: &str) -> OutputSettings {
    toml::from_str(text).unwrap()
}

/// An output at work.
pub struct AtWork {
    pub board: Board,
    pub stop: Arc<AtomicBool>,
    pub thread: Option<JoinHandle<()>>,
}

impl AtWork {
    pub fn start(settings: &OutputSettings, memory: &Memory) -> Self {
        Self::paced(settings, memory, hurry())
    }

    pub fn paced(settings: &OutputSettings, memory: &Memory, pace: Pace) -> Self {
        memory.restart();
        let (board, stop) = (Board::new(), Arc::new(AtomicBool::new(false)));
        let sink = sink::of(settings);
        let place =
            board.add(Status { name: settings.name.clone(), reliable: sink.is_reliable(), ..Status::default() });
        let driver = Driver {
            name: settings.name.clone(),
            choice: Choice { classes: settings.classes.clone(), severity: settings.severity },
            writing: writing(settings),
            feed: Box::new(memory.clone()),
            sink,
            pace,
            board: board.clone(),
            place,
            stop: Arc::clone(&stop),
        };
        Self { board, stop, thread: Some(std::thread::spawn(move || driver.run())) }
    }

    pub fn status(&self) -> Status {
        self.board.statuses().remove(0)
    }

    pub fn until(&self, what: &str, mut is_so: impl FnMut(&Status) -> bool) {
        until(what, || {
            let status = self.status();
            if is_so(&status) { Ok(()) } else { Err(format!("{status:?}")) }
        });
    }

    pub fn end(mut self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        self.thread.take().unwrap().join().unwrap();
        assert_eq!(self.status().state, State::Ended);
        begun.elapsed()
    }
}

/// Waits ten seconds at most.
pub fn until(what: &str, mut is_so: impl FnMut() -> Result<(), String>) {
    let begun = Instant::now();
    loop {
        match is_so() {
            Ok(()) => return,
            Err(found) if begun.elapsed() > Duration::from_secs(10) => panic!("{what}: {found}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// A folder of this test's own, removed at the end.
pub struct Folder(pub std::path::PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("yagura-outputs-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str, text: &str, mode: u32) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a receiver by HTTP does with a request.
pub enum Reply {
    /// Status, further header lines each with its end, body.
    Answer(u16, String, String),
    /// Hangs up without an answer.
    Reset,
    /// Says nothing for so long.
    Hang(Duration),
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), String::new())
    }
}

/// A request: its first line and headers, and its body.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: String,
    pub body: String,
}

/// A receiver by HTTP that answers one request a connection.
pub struct HttpServer {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    pub fn start(mut reply: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, ends) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut stream) else { continue };
                let reply = reply(count, &request);
                count += 1;
                seen.lock().unwrap().push(request);
                match reply {
                    Reply::Answer(status, headers, body) => {
                        let _ = write!(
                            stream,
                            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
                            body.len()
                        );
                    }
                    Reply::Reset => drop(stream),
                    Reply::Hang(time) => std::thread::sleep(time),
                }
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut octets = Vec::new();
    let mut part = [0; 4_096];
    let end = loop {
        if let Some(at) = octets.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        octets.extend_from_slice(&part[..read]);
    };
    let head = String::from_utf8(octets[..end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    })?;
    while octets.len() < end + length {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        octets.extend_from_slice(&part[..read]);
    }
    Some(Request { head, body: String::from_utf8(octets[end..].to_vec()).unwrap() })
}

/// The sequences that lines of JSON from the journal tell, in order.
pub fn sequences(body: &str) -> Vec<u64> {
    body.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["sequence"].as_u64().unwrap())
        .collect()
}

/// What a receiver keeps that drops what it has already.
pub fn without_repeats(sequences: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut seen = std::collections::BTreeSet::new();
    sequences.into_iter().filter(|sequence| seen.insert(*sequence)).collect()
}
