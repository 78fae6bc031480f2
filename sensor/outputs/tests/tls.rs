//! Encrypted receivers: good ones, and every kind of bad one, all of which are refused.

mod support;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;
use yagura_outputs::settings::OutputSettings;
use yagura_outputs::status::State;

/// An authority.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
    der: CertificateDer<'static>,
}

/// A certificate with its chain and key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), params, key }
    }

    fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        Identity { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    }
}

impl Identity {
    fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }

    fn server(&self, versions: &[&'static SupportedProtocolVersion], clients: Option<&Authority>) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        Arc::new(builder.with_single_cert(self.chain.clone(), self.private()).unwrap())
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A receiver: what it does with a connection; what text it got out of all.
struct Receiver {
    address: SocketAddr,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Receiver {
    fn start(serve: impl Fn(TcpStream, &Mutex<Vec<u8>>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let text = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&text);
        // The thread goes with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                serve(stream, &heard);
            }
        });
        Self { address, text }
    }

    fn encrypted(config: Arc<ServerConfig>) -> Self {
        Self::start(move |stream, heard| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut octets = [0; 4_096];
            while let Ok(count) = stream.read(&mut octets) {
                if count == 0 {
                    break;
                }
                heard.lock().unwrap().extend_from_slice(&octets[..count]);
            }
        })
    }

    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

fn syslog(receiver: &Receiver, folder: &Folder, authority: &str, more: &str) -> OutputSettings {
    let ca = folder.file("ca.pem", authority, 0o644);
    settings(&format!(
        "name='siem'\nkind='syslog'\ntransport='tls'\naddress='{}'\nserver_name='siem.plant'\ntimeout_seconds=1\n\
         ca='{}'\n{more}",
        receiver.address,
        ca.display()
    ))
}

/// TLS 1.3 and 1.2, with counts, confirmed and ended in order.
#[test]
fn a_receiver_that_proves_its_name_gets_the_records() {
    let authority = Authority::new("plant");
    for version in BOTH {
        let folder = Folder::new("tls-good");
        let receiver =
            Receiver::encrypted(authority.issue(&["siem.plant"], |_| {}).server(std::slice::from_ref(version), None));
        let memory = Memory::of(alerts(300));
        let at_work = AtWork::start(&syslog(&receiver, &folder, &authority.pem, ""), &memory);
        at_work.until("all", |status| status.acknowledged == 300 && status.state == State::Connected);
        assert_eq!(at_work.status().failures, 0);
        at_work.end();
        let text = receiver.text();
        assert_eq!(text.matches("[yagura@32473 id=").count(), 300);
        let count = text.split_once(' ').unwrap().0.parse::<usize>().unwrap();
        assert!(text[4..][..count].ends_with("}}"), "{}", &text[..count + 10]);
    }
}

/// A receiver that wants to know who we are: with our certificate it takes records, without it nothing is acknowledged.
#[test]
fn a_receiver_that_asks_for_a_certificate_gets_it() {
    let authority = Authority::new("plant");
    let own = authority.issue(&[], |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    for version in BOTH {
        let folder = Folder::new("tls-client");
        let server = authority.issue(&["siem.plant"], |_| {});
        let receiver = Receiver::encrypted(server.server(std::slice::from_ref(version), Some(&authority)));
        let certificate = folder.file("own.pem", &own.pem, 0o644);
        let key = folder.file("own.key", &own.key.serialize_pem(), 0o600);
        let more = format!("client_certificate='{}'\nclient_key='{}'", certificate.display(), key.display());
        let memory = Memory::of(alerts(3));
        let at_work = AtWork::start(&syslog(&receiver, &folder, &authority.pem, &more), &memory);
        at_work.until("all", |status| status.acknowledged == 3);
        at_work.end();
        let memory = Memory::of(alerts(3));
        let before = receiver.text().len();
        let at_work = AtWork::start(&syslog(&receiver, &folder, &authority.pem, ""), &memory);
        at_work.until("refused", |status| status.failures >= 2);
        at_work.end();
        assert_eq!((memory.acknowledged(), receiver.text().len()), (0, before));
        // A key that every user may read is not used.
        folder.file("own.key", &own.key.serialize_pem(), 0o644);
        let at_work = AtWork::start(&syslog(&receiver, &folder, &authority.pem, &more), &memory);
        at_work
            .until("told", |status| status.last_error.as_deref().unwrap_or_default().contains("every user may read"));
        at_work.end();
    }
}

/// no record goes to a receiver that does not prove who it is, by whatever it fails.
#[test]
fn every_bad_receiver_is_refused() {
    let authority = Authority::new("plant");
    let other = Authority::new("plant");
    let good = |change: fn(&mut CertificateParams)| authority.issue(&["siem.plant"], change).server(BOTH, None);
    let self_signed = {
        let params = CertificateParams::new(vec!["siem.plant".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Identity { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    };
    // Issued by a certificate that may not issue any.
    let by_a_leaf = {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "middle.plant");
        let name = params.distinguished_name.clone();
        let middle = authority.issue(&["middle.plant"], |params| params.distinguished_name = name);
        let fake = Authority { params, key: middle.key, pem: String::new(), der: middle.chain[0].clone() };
        let mut leaf = fake.issue(&["siem.plant"], |_| {});
        leaf.chain.push(fake.der);
        leaf
    };
    let only_a_common_name = authority.issue(&[], |params| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "siem.plant");
    });
    let wrong_key = Identity { key: KeyPair::generate().unwrap(), ..authority.issue(&["siem.plant"], |_| {}) };
    assert!(
        rustls::sign::CertifiedKey::from_der(
            wrong_key.chain.clone(),
            wrong_key.private(),
            &rustls::crypto::ring::default_provider()
        )
        .is_err(),
        "a receiver without the key cannot even be set up"
    );
    let raw = |octets: &'static [u8], wait: Duration| {
        Receiver::start(move |mut stream, _| {
            let mut hello = [0; 4_096];
            let _ = stream.read(&mut hello);
            let _ = stream.write_all(octets);
            std::thread::sleep(wait);
        })
    };
    let bad: Vec<(&str, Receiver, &str)> = vec![
        (
            "another name",
            Receiver::encrypted(authority.issue(&["other.plant"], |_| {}).server(BOTH, None)),
            "not valid for name",
        ),
        (
            "a longer name",
            Receiver::encrypted(authority.issue(&["a.siem.plant"], |_| {}).server(BOTH, None)),
            "not valid for name",
        ),
        (
            "a wider wildcard",
            Receiver::encrypted(authority.issue(&["*.siem.plant"], |_| {}).server(BOTH, None)),
            "not valid for name",
        ),
        (
            "its address only",
            Receiver::encrypted(authority.issue(&["127.0.0.1"], |_| {}).server(BOTH, None)),
            "not valid for name",
        ),
        ("a common name only", Receiver::encrypted(only_a_common_name.server(BOTH, None)), "not valid for name"),
        (
            "expired",
            Receiver::encrypted(good(|params| {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2021, 1, 1);
            })),
            "expired",
        ),
        (
            "not yet valid",
            Receiver::encrypted(good(|params| {
                params.not_before = date_time_ymd(2200, 1, 1);
                params.not_after = date_time_ymd(2201, 1, 1);
            })),
            "not valid yet",
        ),
        (
            "for clients only",
            Receiver::encrypted(good(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            })),
            "certificate does not allow extended key usage",
        ),
        ("self-signed", Receiver::encrypted(self_signed.server(BOTH, None)), "UnknownIssuer"),
        (
            "another authority",
            Receiver::encrypted(other.issue(&["siem.plant"], |_| {}).server(BOTH, None)),
            "BadSignature",
        ),
        ("issued by a leaf", Receiver::encrypted(by_a_leaf.server(BOTH, None)), "EndEntityUsedAsCa"),
        ("no TLS", raw(b"220 syslog ready\r\n", Duration::from_millis(300)), "TLS"),
        // ServerHello of TLS 1.1 (RFC 4346): version 03 02, a random, no session, a suite, no compression.
        (
            "TLS 1.1",
            raw(
                b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x00\x00\x2f\x00",
                Duration::from_millis(300),
            ),
            "TLS",
        ),
        ("silence", raw(b"", Duration::from_millis(1_500)), "does not finish the TLS handshake"),
        ("hanging up", raw(b"", Duration::ZERO), "hung up in the TLS handshake"),
    ];
    for (name, receiver, told) in bad {
        let folder = Folder::new(&format!("tls-{}", name.replace(' ', "-")));
        let memory = Memory::of(alerts(3));
        let at_work = AtWork::start(&syslog(&receiver, &folder, &authority.pem, ""), &memory);
        at_work.until(name, |status| status.failures >= 2);
        let status = at_work.status();
        let error = status.last_error.clone().unwrap();
        assert!(error.contains(told), "{name}: {error}");
        assert_eq!((status.delivered, status.acknowledged), (0, 0), "{name}");
        at_work.end();
        assert_eq!((memory.acknowledged(), receiver.text().as_str()), (0, ""), "{name}");
    }
}

/// What is wrong with the files is told with their paths.
#[test]
fn files_that_are_none_are_told() {
    let authority = Authority::new("plant");
    let receiver = Receiver::encrypted(authority.issue(&["siem.plant"], |_| {}).server(BOTH, None));
    for (text, told) in [("", "ca.pem: holds no certificate"), ("-----BEGIN CERTIFICATE-----\n!!", "ca.pem: ")] {
        let folder = Folder::new("tls-files");
        let at_work = AtWork::start(&syslog(&receiver, &folder, text, ""), &Memory::of(alerts(1)));
        at_work.until(told, |status| status.last_error.as_deref().unwrap_or_default().contains(told));
        at_work.end();
    }
    assert_eq!(receiver.text(), "");
}

/// R-64 for HTTP: the pinned authority is believed, another is not, and the web's are not either.
#[test]
fn a_webhook_believes_its_own_authority_only() {
    let authority = Authority::new("plant");
    let other = Authority::new("elsewhere");
    let config = authority.issue(&["127.0.0.1"], |_| {}).server(BOTH, None);
    let receiver = Receiver::start(move |stream, heard| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        let mut octets = vec![0; 65_536];
        let mut read = 0;
        while let Ok(count) = stream.read(&mut octets[read..]) {
            read += count;
            let text = String::from_utf8_lossy(&octets[..read]).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { if count == 0 { break } else { continue } };
            let head = head.to_lowercase();
            let length = head.split_once("content-length: ").unwrap().1.lines().next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() || count == 0 {
                heard.lock().unwrap().extend_from_slice(body.as_bytes());
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
                break;
            }
        }
    });
    let hook = |more: &str| {
        settings(&format!(
            "name='hook'\nkind='webhook'\nurl='https://{}/'\ntimeout_seconds=2\n{more}",
            receiver.address
        ))
    };
    let folder = Folder::new("tls-http");
    let wrong = folder.file("other.pem", &other.pem, 0o644);
    for more in [format!("ca='{}'", wrong.display()), String::new()] {
        let memory = Memory::of(alerts(2));
        let at_work = AtWork::start(&hook(&more), &memory);
        at_work.until("refused", |status| status.failures >= 2);
        let error = at_work.status().last_error.unwrap();
        assert!(error.contains("certificate"), "{error}");
        at_work.end();
        assert_eq!((memory.acknowledged(), receiver.text().as_str()), (0, ""));
    }
    let right = folder.file("ca.pem", &authority.pem, 0o644);
    let memory = Memory::of(alerts(2));
    let at_work = AtWork::start(&hook(&format!("ca='{}'", right.display())), &memory);
    at_work.until("all", |status| status.acknowledged == 2);
    at_work.end();
    assert_eq!(sequences(&receiver.text()), [1, 2]);
}
