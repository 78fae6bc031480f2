//! Syslog by UDP and TCP against receivers that refuse, reset, hang and die.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::*;
use yagura_outputs::feed::Step;
use yagura_outputs::settings::OutputSettings;
use yagura_outputs::status::State;

fn syslog(address: SocketAddr, transport: &str, more: &str) -> OutputSettings {
    settings(&format!(
        "name='siem'\nkind='syslog'\ntransport='{transport}'\naddress='{address}'\ntimeout_seconds=1\nhost='pump-4'\n{more}"
    ))
}

/// Messages of a stream with counts; what is left is a message that was broken off.
fn counted(mut octets: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(space) = octets.iter().position(|octet| *octet == b' ') {
        let count: usize = std::str::from_utf8(&octets[..space]).unwrap().parse().unwrap();
        let Some(message) = octets.get(space + 1..space + 1 + count) else { break };
        messages.push(String::from_utf8(message.to_vec()).unwrap());
        octets = &octets[space + 1 + count..];
    }
    messages
}

fn numbers(messages: &[String]) -> Vec<u64> {
    messages
        .iter()
        .map(|message| {
            let (_, after) = message.split_once("sequence=\"").unwrap();
            after.split_once('"').unwrap().0.parse().unwrap()
        })
        .collect()
}

/// Reads until the other end hangs up.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets);
    octets
}

#[test]
fn messages_are_counted_confirmed_after_a_second_and_ended_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        // Nothing that a receiver says does any harm.
        stream.write_all(b"220 hello\r\n").unwrap();
        read_all(&mut stream)
    });
    let memory = Memory::of(alerts(500));
    let begun = Instant::now();
    let at_work = AtWork::start(&syslog(address, "tcp", ""), &memory);
    at_work.until("all", |status| status.acknowledged == 500 && status.state == State::Connected);
    assert!(begun.elapsed() >= Duration::from_secs(1), "confirmed after {:?}", begun.elapsed());
    // What is written last is confirmed by the receiver's hanging up.
    memory.add(Step::Entry(Box::new(entry(501, "alert", "\"low\""))));
    at_work.until("read", |status| status.read == 501);
    assert!(at_work.end() < Duration::from_secs(2));
    assert_eq!(memory.acknowledged(), 501);
    let messages = counted(&receiver.join().unwrap());
    assert_eq!(numbers(&messages), (1..=501).collect::<Vec<_>>());
    let expected = "<131>1 2026-01-05T10:11:12.500000Z pump-4 yagura - alert \
                    [yagura@32473 id=\"pump-4/01HX/1\" sequence=\"1\"] {\"sequence\":1,";
    assert!(messages[0].starts_with(expected), "{}", messages[0]);
}

#[test]
fn messages_without_counts_are_lines() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = std::thread::spawn(move || read_all(&mut listener.accept().unwrap().0));
    let memory = Memory::of(alerts(3));
    let at_work = AtWork::start(&syslog(address, "tcp", "octet_counting=false"), &memory);
    at_work.until("all", |status| status.acknowledged == 3);
    at_work.end();
    let text = String::from_utf8(receiver.join().unwrap()).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(numbers(&lines), [1, 2, 3]);
    assert!(text.ends_with('\n'));
}

/// each receiver takes some and dies by a reset; what was not confirmed comes again, in order, and whoever
/// drops what he has already has everything once.
#[test]
fn receivers_that_die_one_after_the_other_miss_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let all = Arc::new(Mutex::new(Vec::<u64>::new()));
    let told = Arc::clone(&all);
    let receiver = std::thread::spawn(move || {
        for round in 0..5 {
            let mut stream = listener.accept().unwrap().0;
            if round == 4 {
                let messages = counted(&read_all(&mut stream));
                told.lock().unwrap().extend(numbers(&messages));
                break;
            }
            // Some octets are read, the rest is thrown away by the reset that this makes.
            let mut octets = vec![0; 20_000];
            let mut read = 0;
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            while read < octets.len() {
                match stream.read(&mut octets[read..]) {
                    Ok(more) if more > 0 => read += more,
                    _ => break,
                }
            }
            told.lock().unwrap().extend(numbers(&counted(&octets[..read])));
        }
    });
    let memory = Memory::of(alerts(2_000));
    let at_work = AtWork::start(&syslog(address, "tcp", ""), &memory);
    at_work.until("all", |status| status.acknowledged == 2_000);
    assert!(at_work.status().failures >= 4);
    assert_eq!(at_work.status().delivered, 2_000);
    at_work.end();
    receiver.join().unwrap();
    let all = all.lock().unwrap().clone();
    assert!(all.len() > 2_000, "some came twice: {}", all.len());
    assert_eq!(without_repeats(all), (1..=2_000).collect::<Vec<_>>());
}

/// A receiver that hangs up while nothing is said has not failed, and gets the next record over a new connection.
#[test]
fn a_receiver_may_hang_up_while_nothing_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = std::thread::spawn(move || {
        let mut first = listener.accept().unwrap().0;
        first.set_read_timeout(Some(Duration::from_millis(1_500))).unwrap();
        let mut messages = counted(&read_all(&mut first));
        drop(first);
        messages.extend(counted(&read_all(&mut listener.accept().unwrap().0)));
        messages
    });
    let memory = Memory::of(alerts(2));
    let at_work = AtWork::start(&syslog(address, "tcp", ""), &memory);
    at_work.until("two", |status| status.acknowledged == 2);
    std::thread::sleep(Duration::from_millis(1_000));
    assert_eq!((at_work.status().state, at_work.status().failures), (State::Connected, 0));
    memory.add(Step::Entry(Box::new(entry(3, "alert", "\"high\""))));
    at_work.until("three", |status| status.acknowledged == 3);
    assert_eq!(at_work.status().failures, 0);
    at_work.end();
    assert_eq!(numbers(&receiver.join().unwrap()), [1, 2, 3]);
}

/// a port that is closed, then one behind which somebody listens.
#[test]
fn a_receiver_that_is_not_there_yet_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let memory = Memory::of(alerts(5));
    let at_work = AtWork::start(&syslog(address, "tcp", ""), &memory);
    at_work.until("refused", |status| status.failures >= 3 && status.state == State::Failing);
    assert!(at_work.status().last_error.unwrap().contains("refused"));
    let listener = TcpListener::bind(address).unwrap();
    let receiver = std::thread::spawn(move || read_all(&mut listener.accept().unwrap().0));
    at_work.until("all", |status| status.acknowledged == 5);
    at_work.end();
    assert_eq!(numbers(&counted(&receiver.join().unwrap())), [1, 2, 3, 4, 5]);
}

/// a name that nobody knows is an error like any other, and is told.
#[test]
fn a_name_that_is_not_known_is_told() {
    let settings = settings(
        "name='siem'\nkind='syslog'\ntransport='tcp'\naddress='no-such-host.invalid:514'\ntimeout_seconds=1\n",
    );
    let at_work = AtWork::start(&settings, &Memory::of(alerts(1)));
    at_work.until("told", |status| status.last_error.as_deref().unwrap_or_default().contains("no-such-host.invalid"));
    at_work.end();
}

/// a receiver that reads nothing: no more is confirmed than its kernel took, and the sensor stops all the same.
#[test]
fn a_receiver_that_hangs_gets_no_more_confirmed_than_was_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let silent = std::thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        // Its buffers may hold some MiB.
        std::thread::sleep(Duration::from_millis(2_600));
        let mut stream = stream;
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let octets = read_all(&mut stream);
        counted(&octets).len()
    });
    let mut entries = alerts(3_000);
    for entry in &mut entries {
        entry.line = entry.line.replace("number", &"n".repeat(6_000));
    }
    let memory = Memory::of(entries);
    let at_work = AtWork::start(&syslog(address, "tcp", ""), &memory);
    std::thread::sleep(Duration::from_millis(2_300));
    let status = at_work.status();
    let confirmed = status.acknowledged;
    assert!(confirmed < 3_000, "{status:?}");
    assert!(at_work.end() < Duration::from_secs(2));
    let received = u64::try_from(silent.join().unwrap()).unwrap();
    assert!(received >= memory.acknowledged(), "{received} of {}", memory.acknowledged());
}

/// UDP: one datagram a record, never more octets than are allowed, and no claim that anything arrives.
#[test]
fn datagrams_are_bounded_and_best_effort() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut entries = alerts(20);
    entries[3].record = entries[3].record.replace("number", &"変".repeat(3_000));
    entries[3].line = entries[3].line.replace("number", &"変".repeat(3_000));
    let memory = Memory::of(entries);
    let at_work = AtWork::start(&syslog(receiver.local_addr().unwrap(), "udp", ""), &memory);
    let mut messages = Vec::new();
    let mut octets = vec![0; 65_536];
    for _ in 0..20 {
        let count = receiver.recv(&mut octets).unwrap();
        assert!(count <= 2_048);
        messages.push(String::from_utf8(octets[..count].to_vec()).unwrap());
    }
    assert_eq!(numbers(&messages), (1..=20).collect::<Vec<_>>());
    let body: serde_json::Value = serde_json::from_str(messages[3].split_once("] ").unwrap().1).unwrap();
    assert_eq!(body["record"]["cut"][0], "record");
    at_work.until("all", |status| status.acknowledged == 20);
    assert!(!at_work.status().reliable);
    at_work.end();
}
