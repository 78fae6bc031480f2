//! What `yagura.toml` says about outputs and metrics, checked.

use crate::format::syslog::Facility;
use crate::format::{ENVELOPE_OCTETS_MAX, Format, LINE_OCTETS_MAX, LINE_OCTETS_MIN};
use crate::record::{Class, Severity};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Outputs at most.
pub const OUTPUTS_MAX: usize = 16;

/// One `[[output]]`: where records go, which, and how they look.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Table")]
pub struct OutputSettings {
    /// Its name: letters, digits, `-` and `_`, at most 64. Its cursor is kept under it.
    pub name: String,
    /// The format.
    pub format: Format,
    /// Classes that go out; records that are missing are told in any case.
    pub classes: Vec<Class>,
    /// The mildest alert that goes out. Records without severity always go.
    pub severity: Severity,
    /// The most octets of a line.
    pub octets: usize,
    /// Where to.
    pub kind: Kind,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Lines of a file.
    File(FileSettings),
    /// RFC 5424.
    Syslog(SyslogSettings),
    /// Lines by HTTP POST.
    Webhook(HttpSettings, Body),
    /// `_bulk` of Elasticsearch and OpenSearch: the index.
    Bulk(HttpSettings, String),
}

impl Kind {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
            Self::Webhook(..) => "webhook",
            Self::Bulk(..) => "bulk",
        }
    }
}

/// A file of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Its path.
    pub path: PathBuf,
    /// A file of so many octets is put aside; 0 leaves that to others.
    pub rotate_octets: u64,
    /// Files that are kept aside.
    pub keep: u32,
}

/// How syslog messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Datagrams (RFC 5426): best effort, nobody knows what arrives.
    Udp,
    /// A stream (RFC 6587).
    Tcp,
    /// An encrypted stream (RFC 5425).
    Tls,
}

/// A syslog receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct SyslogSettings {
    /// How.
    pub transport: Transport,
    /// `host:port`.
    pub address: String,
    /// The facility.
    pub facility: Facility,
    /// HOSTNAME; by default the machine's own name.
    pub host: Option<String>,
    /// APP-NAME.
    pub application: String,
    /// Messages of a stream are counted; otherwise each ends with a line feed.
    pub octet_counting: bool,
    /// The authority and our own certificate, for [`Transport::Tls`].
    pub tls: Option<TlsSettings>,
    /// How long connecting, a handshake or a write may take.
    pub timeout: Duration,
}

/// Whom to trust, and who we are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// PEM file of the authorities whose certificates are believed: these and no others.
    pub authority: Option<PathBuf>,
    /// PEM files of our own certificate chain and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The name that the receiver's certificate must have; by default the address's host.
    pub server_name: Option<String>,
}

/// What the body of a webhook's request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A record a line (`application/x-ndjson`).
    #[default]
    Lines,
    /// A JSON array of records.
    Array,
    /// Events of Splunk's HTTP Event Collector.
    Hec,
}

/// A receiver by HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// `https://` or `http://`.
    pub url: String,
    /// A file with lines `Name: value`, sent with each request.
    pub headers_file: Option<PathBuf>,
    /// A file with an API key, sent as `Authorization: ApiKey ...`.
    pub api_key_file: Option<PathBuf>,
    /// Records of one request at most.
    pub batch: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// The authorities; by default those that browsers trust.
    pub tls: TlsSettings,
}

/// `[metrics]`: figures for Prometheus, off without this table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "MetricsTable")]
pub struct MetricsSettings {
    /// Where to listen: an address of this machine's own loopback.
    pub listen: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsTable {
    listen: SocketAddr,
}

impl TryFrom<MetricsTable> for MetricsSettings {
    type Error = String;
    fn try_from(table: MetricsTable) -> Result<Self, String> {
        if !table.listen.ip().is_loopback() {
            return Err(format!("listen: {} is no loopback address; expected 127.0.0.1 or [::1]", table.listen));
        }
        Ok(Self { listen: table.listen })
    }
}

/// The keys of `[[output]]` as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    kind: Named,
    #[serde(default)]
    format: Option<Format>,
    #[serde(default)]
    classes: Option<Vec<Class>>,
    #[serde(default)]
    severity: Severity,
    max_octets: Option<usize>,
    path: Option<PathBuf>,
    rotate_octets: Option<u64>,
    keep: Option<u32>,
    transport: Option<Transport>,
    address: Option<String>,
    facility: Option<Facility>,
    host: Option<String>,
    application: Option<String>,
    octet_counting: Option<bool>,
    url: Option<String>,
    body: Option<Body>,
    headers_file: Option<PathBuf>,
    api_key_file: Option<PathBuf>,
    index: Option<String>,
    batch: Option<usize>,
    timeout_seconds: Option<u64>,
    ca: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
    server_name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    File,
    Syslog,
    Webhook,
    Bulk,
}

impl TryFrom<Table> for OutputSettings {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let name = table.name.clone();
        Self::checked(table).map_err(|trouble| format!("output `{name}`: {trouble}"))
    }
}

impl OutputSettings {
    fn checked(table: Table) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if table.name.is_empty() || table.name.len() > 64 || !table.name.chars().all(plain) {
            return Err("name: expected 1 to 64 letters, digits, `-` or `_`".to_owned());
        }
        table.no_key_of_another_kind()?;
        let default = if table.kind == Named::Bulk { Format::Ecs } else { Format::Native };
        let format = table.format.unwrap_or(default);
        if format == Format::Cef && (table.kind == Named::Bulk || matches!(table.body, Some(Body::Array | Body::Hec))) {
            return Err("format: `cef` is no JSON; expected `native`, `eve` or `ecs`".to_owned());
        }
        let most = LINE_OCTETS_MAX.saturating_add(ENVELOPE_OCTETS_MAX);
        let usual = match (table.kind, table.transport) {
            // A datagram that is not cut on its way (RFC 5426, section 3.2).
            (Named::Syslog, Some(Transport::Udp)) => LINE_OCTETS_MIN,
            // What receivers of a stream should take (RFC 5425, section 4.3.1).
            (Named::Syslog, _) => 8_192,
            _ => most,
        };
        let octets = table.max_octets.unwrap_or(usual);
        if !(LINE_OCTETS_MIN..=most).contains(&octets) {
            return Err(format!("max_octets: {octets} is out of range; expected {LINE_OCTETS_MIN} to {most}"));
        }
        Ok(Self {
            name: table.name.clone(),
            format,
            classes: table.classes.clone().unwrap_or_else(|| Class::ALL.to_vec()),
            severity: table.severity,
            octets,
            kind: match table.kind {
                Named::File => Kind::File(table.file()?),
                Named::Syslog => Kind::Syslog(table.syslog()?),
                Named::Webhook => Kind::Webhook(table.http()?, table.body.unwrap_or_default()),
                Named::Bulk => {
                    let index =
                        table.index.clone().ok_or("index: missing; expected the name of an index or data stream")?;
                    // The names that indices may have: no path, no wildcard, no list.
                    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
                    if index.is_empty() || index.len() > 255 || !index.chars().all(plain) {
                        return Err(format!("index: `{index}` is none; expected small letters, digits, `-`, `_`, `.`"));
                    }
                    Kind::Bulk(table.http()?, index)
                }
            },
        })
    }
}

impl Table {
    /// A key that its kind does not read would be a wish that nobody hears.
    fn no_key_of_another_kind(&self) -> Result<(), String> {
        let (file, syslog, webhook, bulk) =
            (&[Named::File][..], &[Named::Syslog][..], &[Named::Webhook][..], &[Named::Bulk][..]);
        let http = &[Named::Webhook, Named::Bulk][..];
        let net = &[Named::Syslog, Named::Webhook, Named::Bulk][..];
        let keys = [
            ("path", self.path.is_some(), file),
            ("rotate_octets", self.rotate_octets.is_some(), file),
            ("keep", self.keep.is_some(), file),
            ("transport", self.transport.is_some(), syslog),
            ("address", self.address.is_some(), syslog),
            ("facility", self.facility.is_some(), syslog),
            ("host", self.host.is_some(), syslog),
            ("application", self.application.is_some(), syslog),
            ("octet_counting", self.octet_counting.is_some(), syslog),
            ("server_name", self.server_name.is_some(), syslog),
            ("url", self.url.is_some(), http),
            ("body", self.body.is_some(), webhook),
            ("headers_file", self.headers_file.is_some(), http),
            ("api_key_file", self.api_key_file.is_some(), bulk),
            ("index", self.index.is_some(), bulk),
            ("batch", self.batch.is_some(), http),
            ("timeout_seconds", self.timeout_seconds.is_some(), net),
            ("ca", self.ca.is_some(), net),
            ("client_certificate", self.client_certificate.is_some(), net),
            ("client_key", self.client_key.is_some(), net),
        ];
        match keys.iter().find(|(_, is_there, kinds)| *is_there && !kinds.contains(&self.kind)) {
            Some((key, ..)) => Err(format!("{key}: no key of this kind of output")),
            None => Ok(()),
        }
    }

    fn file(&self) -> Result<FileSettings, String> {
        let path = self.path.clone().ok_or("path: missing; expected the path of a file")?;
        if !path.is_absolute() {
            return Err(format!("path: {} is relative; expected an absolute path", path.display()));
        }
        let rotate_octets = self.rotate_octets.unwrap_or(100 << 20);
        if rotate_octets != 0 && rotate_octets < 65_536 {
            return Err(format!("rotate_octets: {rotate_octets}; expected 0, or 65536 at least"));
        }
        let keep = self.keep.unwrap_or(5);
        if !(1..=1_000).contains(&keep) {
            return Err(format!("keep: {keep}; expected 1 to 1000"));
        }
        Ok(FileSettings { path, rotate_octets, keep })
    }

    fn syslog(&self) -> Result<SyslogSettings, String> {
        let transport = self.transport.ok_or("transport: missing; expected `udp`, `tcp` or `tls`")?;
        let address = self.address.clone().ok_or("address: missing; expected `host:port`")?;
        let port = address
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            return Err(format!("address: `{address}`; expected `host:port`"));
        }
        let mut tls = self.tls()?;
        let is_tls = transport == Transport::Tls;
        if is_tls && tls.authority.is_none() {
            return Err("ca: missing; expected the PEM file of the receiver's authority".to_owned());
        }
        if !is_tls && tls != TlsSettings::default() {
            return Err("ca, client_certificate, server_name: expected only with transport `tls`".to_owned());
        }
        if is_tls && tls.server_name.is_none() {
            let host = address.rsplit_once(':').map_or("", |(host, _)| host);
            tls.server_name = Some(host.trim_start_matches('[').trim_end_matches(']').to_owned());
        }
        let octet_counting = self.octet_counting.unwrap_or(transport != Transport::Udp);
        if is_tls && !octet_counting {
            return Err("octet_counting: false; expected true with transport `tls` (RFC 5425, section 4.3)".to_owned());
        }
        if transport == Transport::Udp && octet_counting {
            return Err("octet_counting: true; a datagram is one message: expected no such key".to_owned());
        }
        Ok(SyslogSettings {
            transport,
            address,
            facility: self.facility.unwrap_or(Facility::LOCAL0),
            host: self.host.clone(),
            application: self.application.clone().unwrap_or_else(|| "yagura".to_owned()),
            octet_counting,
            tls: is_tls.then_some(tls),
            timeout: self.timeout()?,
        })
    }

    fn http(&self) -> Result<HttpSettings, String> {
        let url = self.url.clone().ok_or("url: missing; expected `https://host/path`")?;
        let parsed: ureq::http::Uri =
            url.parse().map_err(|error| format!("url: {error}; expected `https://host/path`"))?;
        let host = parsed.host().unwrap_or_default();
        let is_plain = match parsed.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err("url: expected to begin with `https://` or `http://`".to_owned()),
        };
        if host.is_empty() {
            return Err("url: no host; expected `https://host/path`".to_owned());
        }
        if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("url: a password does not belong there; expected it in `headers_file`".to_owned());
        }
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        let is_near = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        if is_plain && !is_near && (self.headers_file.is_some() || self.api_key_file.is_some()) {
            return Err("url: a secret must not travel in the clear; expected `https://`".to_owned());
        }
        let batch = self.batch.unwrap_or(100);
        if !(1..=1_000).contains(&batch) {
            return Err(format!("batch: {batch}; expected 1 to 1000"));
        }
        Ok(HttpSettings {
            url,
            headers_file: self.headers_file.clone(),
            api_key_file: self.api_key_file.clone(),
            batch,
            timeout: self.timeout()?,
            tls: self.tls()?,
        })
    }

    fn tls(&self) -> Result<TlsSettings, String> {
        let client = match (&self.client_certificate, &self.client_key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => return Err("client_key: missing; expected the key of client_certificate".to_owned()),
            (None, Some(_)) => {
                return Err("client_certificate: missing; expected the certificate of client_key".to_owned());
            }
        };
        Ok(TlsSettings { authority: self.ca.clone(), client, server_name: self.server_name.clone() })
    }

    fn timeout(&self) -> Result<Duration, String> {
        let seconds = self.timeout_seconds.unwrap_or(10);
        if !(1..=120).contains(&seconds) {
            return Err(format!("timeout_seconds: {seconds}; expected 1 to 120"));
        }
        Ok(Duration::from_secs(seconds))
    }
}

/// What is wrong with the outputs together.
///
/// # Errors
/// Too many outputs, a name given twice, a file written by two.
pub fn check(outputs: &[OutputSettings]) -> Result<(), String> {
    if outputs.len() > OUTPUTS_MAX {
        return Err(format!("output: {} of them; expected {OUTPUTS_MAX} at most", outputs.len()));
    }
    let path = |output: &OutputSettings| match &output.kind {
        Kind::File(file) => Some(file.path.clone()),
        _ => None,
    };
    for (at, output) in outputs.iter().enumerate() {
        for earlier in outputs.iter().take(at) {
            if earlier.name == output.name {
                return Err(format!("name: two outputs are called `{}`", output.name));
            }
            if let Some(path) = path(output).filter(|own| path(earlier).as_ref() == Some(own)) {
                return Err(format!("path: two outputs write {}", path.display()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OutputSettings, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    const FILE: &str = "name = \"lines\"\nkind = \"file\"\npath = \"/var/log/yagura/alerts.jsonl\"\n";
    const TLS: &str = "name = \"siem\"\nkind = \"syslog\"\ntransport = \"tls\"\naddress = \"siem.plant:6514\"\nca = \"/etc/ca.pem\"\n";
    const BULK: &str =
        "name = \"elastic\"\nkind = \"bulk\"\nurl = \"https://es:9200\"\nindex = \"logs-yagura-default\"\n";

    #[test]
    fn each_kind_is_read_with_its_defaults() {
        let file = read(FILE).unwrap();
        assert_eq!((file.format, file.severity, file.classes.len()), (Format::Native, Severity::Info, 6));
        assert!(matches!(file.kind, Kind::File(FileSettings { rotate_octets: 104_857_600, keep: 5, .. })));
        let Kind::Syslog(syslog) = read(TLS).unwrap().kind else { panic!() };
        assert!(syslog.octet_counting);
        assert_eq!(syslog.tls.unwrap().server_name.as_deref(), Some("siem.plant"));
        let bulk = read(BULK).unwrap();
        assert_eq!((bulk.format, bulk.kind.name()), (Format::Ecs, "bulk"));
        let udp = read("name='u'\nkind='syslog'\ntransport='udp'\naddress='[::1]:514'\nfacility='local7'\n").unwrap();
        assert_eq!(udp.octets, 2_048);
        let hook = "name='h'\nkind='webhook'\nurl='http://127.0.0.1:8088/x'\nbody='hec'\nheaders_file='/etc/t'\n";
        assert!(matches!(read(hook).unwrap().kind, Kind::Webhook(_, Body::Hec)));
    }

    #[test]
    fn what_is_wrong_is_told_with_the_key_and_what_was_expected() {
        let udp = "name='u'\nkind='syslog'\ntransport='udp'\naddress='a:1'\n";
        for (text, told) in [
            (format!("{FILE}index = \"a\""), "output `lines`: index: no key of this kind of output"),
            (format!("{FILE}colour = 1"), "unknown field `colour`"),
            (FILE.replace("/var", "var"), "path: var/log"),
            (FILE.replace("path", "#"), "path: missing"),
            (FILE.replace("lines", "a/b"), "name: expected"),
            (FILE.replace("\"file\"", "\"fax\""), "unknown variant `fax`, expected one of `file`"),
            (format!("{FILE}keep = 0"), "keep: 0; expected 1"),
            (format!("{FILE}rotate_octets = 10"), "rotate_octets: 10; expected 0"),
            (format!("{FILE}max_octets = 100"), "max_octets: 100 is out of range; expected 2048 to 17408"),
            (format!("{FILE}classes = [\"alarm\"]"), "unknown variant `alarm`"),
            (TLS.replace("ca =", "#"), "ca: missing"),
            (TLS.replace("tls", "tcp"), "expected only with transport `tls`"),
            (TLS.replace(":6514", ""), "address: `siem.plant`; expected `host:port`"),
            (TLS.replace("6514", "0"), "expected `host:port`"),
            (format!("{TLS}octet_counting = false"), "octet_counting: false; expected true"),
            (format!("{TLS}client_key = \"/k\""), "client_certificate: missing"),
            (format!("{TLS}client_certificate = \"/k\""), "client_key: missing"),
            (format!("{TLS}facility = \"moon\""), "facility: `moon` is none; expected one of kern"),
            (format!("{TLS}timeout_seconds = 0"), "timeout_seconds: 0; expected 1"),
            (format!("{udp}octet_counting = true"), "octet_counting: true"),
            (BULK.replace("https", "ftp"), "url: expected to begin"),
            (BULK.replace("es:9200", "me:secret@es"), "url: a password does not belong there"),
            (
                format!("{}api_key_file = \"/k\"", BULK.replace("https", "http")),
                "a secret must not travel in the clear",
            ),
            (BULK.replace("logs-", "../"), "index: `../yagura-default` is none"),
            (BULK.replace("index", "#"), "index: missing"),
            (format!("{BULK}format = \"cef\""), "format: `cef` is no JSON"),
            (format!("{BULK}batch = 0"), "batch: 0; expected 1"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(told), "{told}: {error}");
        }
    }

    #[test]
    fn metrics_are_told_to_this_machine_only() {
        let read = |text: &str| toml::from_str::<MetricsSettings>(text);
        assert!(read("listen = \"127.0.0.1:9469\"").is_ok());
        assert!(read("listen = \"[::1]:9469\"").is_ok());
        let error = read("listen = \"0.0.0.0:9469\"").unwrap_err().to_string();
        assert!(error.contains("no loopback address"), "{error}");
        assert!(read("listen = \"127.0.0.1:9469\"\nopen = true").is_err());
    }

    #[test]
    fn outputs_do_not_get_in_each_others_way() {
        let file = read(FILE).unwrap();
        let mut other = file.clone();
        assert!(check(&[file.clone(), other.clone()]).unwrap_err().contains("two outputs are called"));
        other.name = "b".to_owned();
        assert!(check(&[file.clone(), other.clone()]).unwrap_err().contains("two outputs write"));
        other.kind = read(TLS).unwrap().kind;
        assert_eq!(check(&[file.clone(), other]), Ok(()));
        assert!(check(&vec![file; 17]).unwrap_err().contains("16 at most"));
    }
}
