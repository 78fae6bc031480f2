//! Webhooks and `_bulk` against receivers that fail in every way (R-45, R-46, R-48).

mod support;

use std::time::Duration;
use support::*;
use yagura_outputs::status::State;

fn webhook(address: std::net::SocketAddr, more: &str) -> yagura_outputs::settings::OutputSettings {
    settings(&format!(
        "name='hook'\nkind='webhook'\nurl='http://{address}/in?a=b'\nbatch=20\ntimeout_seconds=1\n{more}"
    ))
}

/// R-45: reset, no answer, 500, 429 with a wish; then everything, in order, and nothing was acknowledged before.
#[test]
fn a_webhook_that_comes_back_gets_everything_in_order() {
    let server = HttpServer::start(|n, _| match n {
        0 => Reply::Reset,
        1 => Reply::Hang(Duration::from_millis(1_300)),
        2 => Reply::status(500),
        3 => Reply::Answer(429, "Retry-After: 1\r\n".to_owned(), "slow down".to_owned()),
        5 => Reply::status(503),
        6 => Reply::status(401),
        7 => Reply::status(404),
        _ => Reply::status(200),
    });
    let memory = Memory::of(alerts(200));
    let at_work = AtWork::start(&webhook(server.address, ""), &memory);
    at_work.until("three failures", |status| status.failures >= 3 && status.state == State::Failing);
    assert_eq!(memory.acknowledged(), 0);
    at_work.until("a wish to wait", |status| status.last_error.as_deref().is_some_and(|told| told.contains("429")));
    let begun = std::time::Instant::now();
    at_work.until("the first batch", |status| status.acknowledged >= 20);
    assert!(begun.elapsed() > Duration::from_millis(800), "Retry-After was heard: {:?}", begun.elapsed());
    at_work.until("everything", |status| status.acknowledged == 200 && status.state == State::Connected);
    let status = at_work.status();
    assert_eq!((status.delivered, status.failures, status.lost, status.refused), (200, 7, 0, 0));
    at_work.end();
    let all: Vec<u64> = server.requests().iter().flat_map(|request| sequences(&request.body)).collect();
    assert_eq!(without_repeats(all), (1..=200).collect::<Vec<_>>());
    assert!(server.requests()[0].head.starts_with("POST /in?a=b HTTP/1.1\r\n"), "{:?}", server.requests()[0]);
}

/// R-46: only what was answered is removed; after a start the rest follows, without a hole.
#[test]
fn a_receiver_that_answers_and_dies_loses_nothing() {
    let memory = Memory::of(alerts(100));
    let first = HttpServer::start(|n, _| if n < 3 { Reply::status(204) } else { Reply::Reset });
    let at_work = AtWork::start(&webhook(first.address, ""), &memory);
    at_work.until("the death", |status| status.state == State::Failing);
    assert_eq!(memory.acknowledged(), 60);
    at_work.end();
    assert_eq!(memory.acknowledged(), 60);
    let second = HttpServer::start(|_, _| Reply::status(200));
    let at_work = AtWork::start(&webhook(second.address, ""), &memory);
    at_work.until("the rest", |status| status.acknowledged == 100);
    at_work.end();
    let rest: Vec<u64> = second.requests().iter().flat_map(|request| sequences(&request.body)).collect();
    assert_eq!(rest, (61..=100).collect::<Vec<_>>());
}

/// R-46: a slow receiver is asked for no more than it takes, and is left at once when the sensor stops.
#[test]
fn a_slow_receiver_gets_one_request_at_a_time() {
    let server = HttpServer::start(|_, _| {
        std::thread::sleep(Duration::from_millis(300));
        Reply::status(200)
    });
    let memory = Memory::of(alerts(100));
    let at_work = AtWork::start(&webhook(server.address, ""), &memory);
    at_work.until("lagging", |status| status.state == State::Lagging && status.acknowledged == 20);
    assert!(at_work.status().read <= 60, "{:?}", at_work.status());
    assert!(at_work.end() < Duration::from_secs(2));
    let acknowledged = memory.acknowledged();
    let told: Vec<u64> = server.requests().iter().flat_map(|request| sequences(&request.body)).collect();
    assert_eq!(told, (1..=acknowledged).collect::<Vec<_>>());
}

/// One record that the receiver cannot take does not hold up the others, and is counted.
#[test]
fn a_record_that_is_refused_alone_is_given_up() {
    let server = HttpServer::start(|_, request| match sequences(&request.body).contains(&33) {
        true => Reply::Answer(400, String::new(), "bad \u{1b}[2J".to_owned()),
        false => Reply::status(200),
    });
    let memory = Memory::of(alerts(60));
    let at_work = AtWork::start(&webhook(server.address, ""), &memory);
    at_work.until("everything", |status| status.acknowledged == 60);
    let status = at_work.status();
    assert_eq!((status.delivered, status.refused), (59, 1));
    let remark = status.last_remark.unwrap();
    assert!(remark.contains("pump-4/01HX/33") && !remark.contains('\u{1b}'), "{remark}");
    at_work.end();
}

/// A receiver that refuses everything is set up wrongly: nothing is given up.
#[test]
fn a_receiver_that_takes_nothing_gets_nothing_acknowledged() {
    let server = HttpServer::start(|_, _| Reply::status(400));
    let memory = Memory::of(alerts(30));
    let at_work = AtWork::start(&webhook(server.address, ""), &memory);
    at_work.until("failures", |status| status.failures >= 3);
    let status = at_work.status();
    assert_eq!((status.refused, status.acknowledged, status.delivered), (0, 0, 0));
    at_work.end();
    assert_eq!(memory.acknowledged(), 0);
}

/// No other host gets the records, whatever the receiver answers.
#[test]
fn a_redirection_is_not_followed() {
    let other = HttpServer::start(|_, _| Reply::status(200));
    let location = format!("Location: http://{}/\r\n", other.address);
    let server = HttpServer::start(move |_, _| Reply::Answer(307, location.clone(), String::new()));
    let at_work = AtWork::start(&webhook(server.address, ""), &Memory::of(alerts(1)));
    at_work.until("a failure", |status| status.last_error.as_deref().is_some_and(|told| told.contains("307")));
    at_work.end();
    assert!(other.requests().is_empty());
}

/// Splunk's collector: objects with a time, one behind the other; and the token, which is told nowhere else.
#[test]
fn events_for_a_collector_carry_time_id_and_token() {
    let folder = Folder::new("hec");
    let headers = folder.file("headers", "Authorization: Splunk s3cr3t\nX-Site: pump\n", 0o600);
    let server = HttpServer::start(|n, _| if n == 0 { Reply::status(403) } else { Reply::status(200) });
    let settings = webhook(server.address, &format!("body='hec'\nheaders_file='{}'", headers.display()));
    let memory = Memory::of(alerts(2));
    let at_work = AtWork::start(&settings, &memory);
    at_work.until("both", |status| status.acknowledged == 2);
    assert!(!format!("{:?}", at_work.status()).contains("s3cr3t"));
    at_work.end();
    let request = server.requests().pop().unwrap();
    assert!(request.head.to_lowercase().contains("authorization: splunk s3cr3t\r\n"), "{request:?}");
    let events: Vec<serde_json::Value> = request.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["time"], 1_767_607_872.5);
    assert_eq!(events[0]["fields"]["yagura_id"], "pump-4/01HX/1");
    assert_eq!(events[0]["event"]["record"]["summary"], "number 1");
    assert_eq!(events[0]["sourcetype"], "yagura:native");
}

#[test]
fn an_array_is_an_array() {
    let server = HttpServer::start(|_, _| Reply::status(200));
    let at_work = AtWork::start(&webhook(server.address, "body='array'"), &Memory::of(alerts(3)));
    at_work.until("all", |status| status.acknowledged == 3);
    at_work.end();
    let body: serde_json::Value = serde_json::from_str(&server.requests()[0].body).unwrap();
    assert_eq!(body.as_array().unwrap().len(), 3);
}

/// A secret that every user may read, or that is none, is not used, and its text is not told.
#[test]
fn a_secret_in_the_open_is_refused() {
    let folder = Folder::new("secrets");
    let server = HttpServer::start(|_, _| Reply::status(200));
    for (name, text, mode, told) in [
        ("open", "A: s3cr3t\n", 0o644, "every user may read this secret"),
        ("wrong", "s3cr3t\n", 0o600, "expected lines `Name: value`"),
        ("control", "A: s3cr3t\u{1}\n", 0o600, "expected lines `Name: value`"),
    ] {
        let path = folder.file(name, text, mode);
        let settings = webhook(server.address, &format!("headers_file='{}'", path.display()));
        let at_work = AtWork::start(&settings, &Memory::of(alerts(1)));
        at_work.until(told, |status| status.last_error.as_deref().is_some_and(|error| error.contains(told)));
        assert!(!format!("{:?}", at_work.status()).contains("s3cr3t"));
        at_work.end();
    }
    assert!(server.requests().is_empty());
}

fn bulk(address: std::net::SocketAddr, more: &str) -> yagura_outputs::settings::OutputSettings {
    settings(&format!(
        "name='es'\nkind='bulk'\nurl='http://{address}'\nindex='logs-yagura-default'\nformat='native'\nbatch=5\n\
         timeout_seconds=2\n{more}"
    ))
}

/// An index that behaves as Elasticsearch's `_bulk` does: what is there already is a conflict.
#[derive(Default)]
struct Index {
    ids: Vec<String>,
}

impl Index {
    fn take(&mut self, body: &str, status: impl Fn(&str) -> Option<u16>) -> String {
        let mut items = Vec::new();
        let mut errors = false;
        let lines: Vec<&str> = body.lines().collect();
        for pair in lines.chunks(2) {
            let action: serde_json::Value = serde_json::from_str(pair[0]).unwrap();
            let _: serde_json::Value = serde_json::from_str(pair[1]).unwrap();
            let id = action["create"]["_id"].as_str().unwrap().to_owned();
            let status = status(&id).unwrap_or(if self.ids.contains(&id) { 409 } else { 201 });
            if status == 201 {
                self.ids.push(id);
                items.push(serde_json::json!({"create": {"status": 201}}));
            } else {
                errors = true;
                items.push(serde_json::json!({"create": {"status": status, "error": {"type": "t", "reason": "r"}}}));
            }
        }
        serde_json::json!({"errors": errors, "items": items}).to_string()
    }
}

/// R-48: items that fail for now come again, those that are there stay single, one that never fits is given up.
#[test]
fn bulk_items_are_created_exactly_once() {
    let index = std::sync::Arc::new(std::sync::Mutex::new(Index::default()));
    let inside = std::sync::Arc::clone(&index);
    let server = HttpServer::start(move |n, request| {
        let status = |id: &str| match (n, id.rsplit('/').next().unwrap()) {
            (0, "3") => Some(429),
            (_, "9") => Some(400),
            _ => None,
        };
        let body = inside.lock().unwrap().take(&request.body, status);
        match n {
            // Written, and the answer never comes.
            2 => Reply::Reset,
            3 => Reply::Answer(200, String::new(), "<html>a proxy</html>".to_owned()),
            _ => Reply::Answer(200, String::new(), body),
        }
    });
    let folder = Folder::new("bulk");
    let key = folder.file("key", "bWU6c2VjcmV0\n", 0o640);
    let memory = Memory::of(alerts(23));
    let settings = bulk(server.address, &format!("api_key_file='{}'", key.display()));
    let at_work = AtWork::start(&settings, &memory);
    at_work.until("everything", |status| status.acknowledged == 23);
    let status = at_work.status();
    assert_eq!((status.delivered, status.refused), (22, 1));
    assert!(!format!("{status:?}").contains("bWU6"));
    at_work.end();
    let ids = index.lock().unwrap().ids.clone();
    let mut numbers: Vec<u64> = ids.iter().map(|id| id.rsplit('/').next().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=23).filter(|n| *n != 9).collect::<Vec<_>>());
    let head = &server.requests()[0].head;
    assert!(head.starts_with("POST /logs-yagura-default/_bulk?filter_path="), "{head}");
    assert!(head.to_lowercase().contains("authorization: apikey bwu6c2vjcmv0"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/x-ndjson"), "{head}");
}

/// An answer that does not fit the request confirms nothing.
#[test]
fn a_bulk_answer_with_missing_items_is_none() {
    let server =
        HttpServer::start(|_, _| Reply::Answer(200, String::new(), r#"{"errors":true,"items":[]}"#.to_owned()));
    let memory = Memory::of(alerts(3));
    let at_work = AtWork::start(&bulk(server.address, ""), &memory);
    at_work.until("a failure", |status| {
        status.last_error.as_deref().is_some_and(|told| told.contains("an answer for 0 records to a request of 3"))
    });
    at_work.end();
    assert_eq!(memory.acknowledged(), 0);
}
