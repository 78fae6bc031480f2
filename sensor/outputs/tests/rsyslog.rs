//! A real receiver: rsyslogd with its TLS driver, by UDP, TCP and TLS, and killed in between.

mod support;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::*;
use yagura_outputs::feed::Step;

const PROGRAM: &str = "/usr/sbin/rsyslogd";
const TLS_DRIVER: &str = "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so";

struct Rsyslog(Child);

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(folder: &Folder, port: u16) -> Rsyslog {
    let child = Command::new(PROGRAM)
        .args(["-n", "-iNONE", "-f"])
        .arg(folder.0.join("rsyslog.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = Rsyslog(child);
    until("rsyslogd listens", || TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|error| error.to_string()));
    child
}

/// What arrived: the sequence of the structured data, and the text.
fn arrived(folder: &Folder) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(folder.0.join("out")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with("- "));
    lines
        .filter_map(|line| {
            let (data, message) = line.split_once("] ")?;
            let (_, sequence) = data.split_once("sequence=\"")?;
            Some((sequence.trim_end_matches('"').parse().unwrap(), message.trim_start().to_owned()))
        })
        .collect()
}

#[test]
fn rsyslogd_takes_what_is_sent_by_every_transport() {
    if !Path::new(PROGRAM).exists() || !Path::new(TLS_DRIVER).exists() {
        println!("skipped: no rsyslogd with its TLS driver here (Debian: rsyslog rsyslog-gnutls)");
        return;
    }
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "plant");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = KeyPair::generate().unwrap();
    let authority = params.self_signed(&root).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["siem.plant".to_owned()]).unwrap();
    let certificate = own.signed_by(&key, &Issuer::from_params(&params, &root)).unwrap().pem();
    let files = [("ca.pem", authority), ("own.pem", certificate), ("own.key", key.serialize_pem())];
    std::thread::scope(|scope| {
        for transport in ["udp", "tcp", "tls"] {
            let files = &files;
            scope.spawn(move || carried(transport, files));
        }
    });
}

/// Records by one transport to an rsyslogd of its own, which is killed in between where the transport is reliable.
fn carried(transport: &str, files: &[(&str, String)]) {
    let folder = Folder::new(&format!("rsyslog-{transport}"));
    let (tcp, tls) = (free_port(), free_port());
    for (name, text) in files {
        folder.file(name, text, 0o600);
    }
    let ca = folder.0.join("ca.pem");
    let at = folder.0.display();
    let configuration = format!(
        "global(workDirectory=\"{at}\" maxMessageSize=\"8k\" defaultNetstreamDriverCAFile=\"{at}/ca.pem\"\n\
         defaultNetstreamDriverCertFile=\"{at}/own.pem\" defaultNetstreamDriverKeyFile=\"{at}/own.key\")\n\
         module(load=\"imudp\")\nmodule(load=\"imtcp\")\n\
         template(name=\"told\" type=\"string\" string=\"%structured-data% %msg%\\n\")\n\
         ruleset(name=\"all\") {{ action(type=\"omfile\" file=\"{at}/out\" template=\"told\" asyncWriting=\"off\") }}\n\
         input(type=\"imudp\" address=\"127.0.0.1\" port=\"{tcp}\" ruleset=\"all\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tcp}\" ruleset=\"all\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tls}\" ruleset=\"all\" streamDriver.name=\"gtls\"\n\
         streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n"
    );
    folder.file("rsyslog.conf", &configuration, 0o644);
    let receiver = start(&folder, tcp);
    let (port, more) = match transport {
        "tls" => (tls, format!("ca='{}'\nserver_name='siem.plant'", ca.display())),
        _ => (tcp, String::new()),
    };
    let output = settings(&format!(
        "name='siem'\nkind='syslog'\ntransport='{transport}'\naddress='127.0.0.1:{port}'\ntimeout_seconds=5\n{more}"
    ));
    let mut entries = alerts(200);
    // As long as fits, and what a reader of logs might stumble over.
    for text in ["x".repeat(7_500), "\\u0000\\n\\u001b[2J\\u202e変電所%n]\\\"".to_owned()] {
        let at = if text.len() > 7_000 { 20 } else { 21 };
        let line = entries[at].line.replace("number", &text);
        entries[at] = yagura_outputs::record::Entry::parse(&line).unwrap();
    }
    let memory = Memory::of(entries);
    let at_work = AtWork::start(&output, &memory);
    at_work.until("the first part", |status| status.acknowledged == 200);
    until("the first part in the file", || match arrived(&folder).len() {
        200 => Ok(()),
        count => Err(format!("{transport}: {count}")),
    });
    if transport != "udp" {
        drop(receiver);
        for sequence in 201..=400 {
            memory.add(Step::Entry(Box::new(entry(sequence, "alert", "\"high\""))));
        }
        at_work.until("its death", |status| status.failures > 0);
        let _again = start(&folder, tcp);
        at_work.until("the second part", |status| status.acknowledged == 400);
        until("the second part in the file", || match without_repeats(arrived(&folder).iter().map(|a| a.0)) {
            all if all == (1..=400).collect::<Vec<_>>() => Ok(()),
            all => Err(format!("{transport}: {} of 400", all.len())),
        });
    }
    at_work.end();
    for (sequence, text) in arrived(&folder) {
        if transport == "udp" && sequence == 21 {
            continue;
        }
        let line: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(line["sequence"], sequence);
    }
}
