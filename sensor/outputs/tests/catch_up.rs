//! An hour of alerts, kept while a receiver was away, goes out at once.

mod support;

use std::io::Read;
use std::net::TcpListener;
use std::time::Instant;
use support::*;
use yagura_outputs::driver::Pace;

/// 180,000 alerts are an hour at 50 a second; ten times that is 500 a second.
#[test]
#[ignore = "takes a minute; tells figures"]
fn an_hour_of_alerts_is_caught_up_ten_times_as_fast() {
    const ALERTS: u64 = 180_000;
    let folder = Folder::new("catch-up");
    let server = HttpServer::start(|_, _| Reply::status(200));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut octets = vec![0; 65_536];
            let mut stream = stream.unwrap();
            while stream.read(&mut octets).is_ok_and(|read| read > 0) {}
        }
    });
    // As long as usual alerts are.
    let mut entries = alerts(ALERTS);
    for entry in &mut entries {
        entry.line = entry.line.replace("number", &"n".repeat(2_500));
    }
    let memory = Memory::of(entries);
    for text in [
        format!("name='file'\nkind='file'\npath='{}/out'\n", folder.0.display()),
        format!("name='tcp'\nkind='syslog'\ntransport='tcp'\naddress='{stream}'\n"),
        format!("name='hook'\nkind='webhook'\nurl='http://{}'\n", server.address),
    ] {
        memory.0.lock().unwrap().acknowledged = 0;
        let begun = Instant::now();
        let at_work = AtWork::paced(&settings(&text), &memory, Pace::default());
        while at_work.status().acknowledged < ALERTS {
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert_eq!(at_work.status().failures, 0, "{:?}", at_work.status());
        }
        let seconds = u64::try_from(begun.elapsed().as_millis()).unwrap().max(1);
        let rate = ALERTS * 1_000 / seconds;
        println!("{}: {rate} alerts a second", at_work.status().name);
        at_work.end();
        assert!(rate >= 500, "{rate}");
    }
}
