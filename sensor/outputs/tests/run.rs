//! The whole: several outputs of one journal, what they choose, what they tell of gaps, and how they end.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::*;
use yagura_outputs::feed::{Feed, FeedError, Step};
use yagura_outputs::status::{Board, State};
use yagura_outputs::{OpenFeed, Outputs, RunError, run};

fn file(folder: &Folder, name: &str, more: &str) -> yagura_outputs::settings::OutputSettings {
    settings(&format!("name='{name}'\nkind='file'\npath='{}/{name}'\n{more}", folder.0.display()))
}

#[test]
fn an_output_tells_what_it_was_asked_for_and_moves_past_the_rest() {
    let folder = Folder::new("choice");
    let memory = Memory::of(vec![
        entry(1, "alert", "\"low\""),
        entry(2, "alert", "\"critical\""),
        entry(3, "health", "null"),
        entry(4, "audit", "null"),
        entry(5, "alert", "\"medium\""),
        entry(6, "gap", "null"),
        entry(7, "alert", "\"info\""),
    ]);
    let chosen = file(&folder, "chosen", "classes=['alert','audit']\nseverity='medium'");
    let at_work = AtWork::start(&chosen, &memory);
    at_work.until("all", |status| status.acknowledged == 7);
    let status = at_work.status();
    assert_eq!((status.delivered, status.passed_over), (4, 3));
    at_work.end();
    assert_eq!(sequences(&std::fs::read_to_string(folder.0.join("chosen")).unwrap()), [2, 4, 5, 6]);
}

/// A long way past records that nobody wants costs no more than reading them.
#[test]
fn records_that_an_output_does_not_tell_are_acknowledged_alone() {
    let folder = Folder::new("past");
    let memory = Memory::of((1..=20_000).map(|n| entry(n, "health", "null")).collect());
    let at_work = AtWork::start(&file(&folder, "past", "classes=['alert']"), &memory);
    at_work.until("all", |status| status.acknowledged == 20_000);
    at_work.end();
    assert!(memory.0.lock().unwrap().acknowledgements < 2_000);
    assert!(!folder.0.join("past").exists());
}

/// records that left the journal before they were delivered are told to the receiver, with the exact count.
#[test]
fn what_left_the_journal_is_told_as_a_gap() {
    let folder = Folder::new("gap");
    let memory = Memory::of(alerts(2));
    memory.add(Step::Lost { from: 3, to: 41 });
    memory.add(Step::Entry(Box::new(entry(42, "alert", "\"high\""))));
    let at_work = AtWork::start(&file(&folder, "gap", "classes=['alert']"), &memory);
    at_work.until("all", |status| status.acknowledged == 42);
    assert_eq!((at_work.status().lost, at_work.status().delivered), (39, 4));
    at_work.end();
    let text = std::fs::read_to_string(folder.0.join("gap")).unwrap();
    let gap: serde_json::Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
    assert_eq!((gap["class"].as_str(), gap["sequence"].as_u64()), (Some("gap"), Some(41)));
    assert_eq!(gap["record"]["records"], 39);
    assert_eq!((gap["record"]["from"].as_u64(), gap["record"]["to"].as_u64()), (Some(3), Some(41)));
}

/// A journal out of reach is told; what was read goes out, and nothing is sent twice to a receiver that is well.
#[test]
fn a_journal_out_of_reach_is_waited_for() {
    let folder = Folder::new("reach");
    let memory = Memory::of(alerts(3));
    let at_work = AtWork::start(&file(&folder, "reach", ""), &memory);
    at_work.until("three", |status| status.acknowledged == 3);
    memory.0.lock().unwrap().broken = true;
    at_work.until("told", |status| {
        status.state == State::Failing && status.last_error.as_deref() == Some("journal: out of reach")
    });
    memory.add(Step::Entry(Box::new(entry(4, "alert", "\"high\""))));
    memory.0.lock().unwrap().broken = false;
    at_work.until("four", |status| status.acknowledged == 4 && status.state == State::Connected);
    at_work.end();
    assert_eq!(sequences(&std::fs::read_to_string(folder.0.join("reach")).unwrap()), [1, 2, 3, 4]);
}

fn outputs(folder: &Folder, memories: &[Memory], hook: std::net::SocketAddr, board: &Board) -> Outputs {
    let memories: Vec<Memory> = memories.to_vec();
    let tries = Arc::new(AtomicBool::new(false));
    let open: OpenFeed = Arc::new(move |output| {
        let at = ["a", "b", "slow"].iter().position(|name| *name == output.name).unwrap();
        // A cursor that cannot be read at first.
        if at == 1 && !tries.swap(true, Ordering::Relaxed) {
            return Err(FeedError("the cursor is damaged".to_owned()));
        }
        Ok(Box::new(memories[at].clone()) as Box<dyn Feed>)
    });
    let slow = settings(&format!("name='slow'\nkind='webhook'\nurl='http://{hook}'\ntimeout_seconds=30\nbatch=1"));
    Outputs {
        outputs: vec![file(folder, "a", ""), file(folder, "b", ""), slow],
        metrics: None,
        open,
        pace: hurry(),
        board: board.clone(),
    }
}

/// One output that hangs, and one whose cursor is damaged, hold up nobody; and all end within two seconds.
#[test]
fn outputs_do_not_wait_for_each_other_and_end_in_time() {
    let folder = Folder::new("run");
    let hang = HttpServer::start(|_, _| Reply::Hang(Duration::from_secs(4)));
    let memories: Vec<Memory> = (0..3).map(|_| Memory::of(alerts(50))).collect();
    let board = Board::new();
    let what = outputs(&folder, &memories, hang.address, &board);
    let stop = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&stop);
    let thread = std::thread::spawn(move || run(what, &ends));
    until("a and b", || {
        let done: Vec<u64> = memories.iter().map(Memory::acknowledged).collect();
        if done == [50, 50, 0] { Ok(()) } else { Err(format!("{done:?} {:?}", board.statuses())) }
    });
    let statuses = board.statuses();
    assert_eq!(statuses[1].failures, 1);
    assert_eq!(statuses[1].last_error.as_deref(), Some("journal: the cursor is damaged"));
    stop.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    thread.join().unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(2_300), "{:?}", begun.elapsed());
}

/// A fault of an output's own ends its thread, not the sensor's other outputs; it is started again.
#[test]
fn an_output_whose_thread_dies_is_started_again() {
    struct Faulty(Memory, Arc<AtomicBool>);
    impl Feed for Faulty {
        fn next(&mut self) -> Result<Step, FeedError> {
            assert!(self.1.swap(true, Ordering::Relaxed), "a fault");
            self.0.next()
        }
        fn acknowledge(&mut self, sequence: u64) -> Result<(), FeedError> {
            self.0.acknowledge(sequence)
        }
    }
    let folder = Folder::new("fault");
    let memory = Memory::of(alerts(3));
    let (inside, met) = (memory.clone(), Arc::new(AtomicBool::new(false)));
    let board = Board::new();
    let what = Outputs {
        outputs: vec![file(&folder, "a", "")],
        metrics: None,
        open: Arc::new(move |_| Ok(Box::new(Faulty(inside.clone(), Arc::clone(&met))) as Box<dyn Feed>)),
        pace: hurry(),
        board: board.clone(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&stop);
    let thread = std::thread::spawn(move || run(what, &ends));
    until("all", || if memory.acknowledged() == 3 { Ok(()) } else { Err(format!("{:?}", board.statuses())) });
    let status = board.statuses().remove(0);
    assert!(status.last_error.unwrap().contains("thread died"));
    assert_eq!(status.failures, 1);
    assert_eq!(sequences(&std::fs::read_to_string(folder.0.join("a")).unwrap()), [1, 2, 3]);
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap().unwrap();
}

#[test]
fn outputs_that_do_not_go_together_do_not_begin() {
    let folder = Folder::new("together");
    let what = Outputs {
        outputs: vec![file(&folder, "a", ""), file(&folder, "a", "")],
        metrics: None,
        open: Arc::new(|_| Err(FeedError(String::new()))),
        pace: hurry(),
        board: Board::new(),
    };
    let error = run(what, &Arc::new(AtomicBool::new(false))).unwrap_err();
    assert!(matches!(error, RunError::Settings(told) if told.contains("two outputs are called `a`")));
}
