//! One request, and its answer.

use super::{SendError, tls};
use crate::settings::HttpSettings;
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// Octets of an answer that are read at most.
const ANSWER_OCTETS_MAX: u64 = 4 << 20;

/// Octets of a file with secrets at most.
const SECRETS_OCTETS_MAX: u64 = 16_384;

/// The longest that a receiver may ask to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// A receiver by HTTP: files are read when a connection is made, and again after it refused us.
pub struct Poster {
    settings: HttpSettings,
    ready: Option<Ready>,
}

struct Ready {
    agent: ureq::Agent,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// What to tell the operator of an answer that is no success: the status and the beginning of the body.
    pub fn told(&self) -> String {
        let body = String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body)).into_owned();
        format!("HTTP status {}: {}", self.status, crate::format::json::visible(body.trim()))
    }
}

impl Poster {
    /// Nothing is opened yet.
    pub fn new(settings: HttpSettings) -> Self {
        Self { settings, ready: None }
    }

    /// Records of one request at most.
    pub fn batch(&self) -> usize {
        self.settings.batch
    }

    /// Posts a body to the receiver's address with something behind it.
    ///
    /// # Errors
    /// No answer came, or a file of the configuration cannot be used.
    pub fn post(&mut self, path: &str, content: &str, body: &[u8]) -> Result<Answer, SendError> {
        let ready = match self.ready.take() {
            Some(ready) => ready,
            None => self.prepare()?,
        };
        let base = self.settings.url.as_str();
        let url = if path.is_empty() { base.to_owned() } else { format!("{}{path}", base.trim_end_matches('/')) };
        let mut request = ready.agent.post(&url).header("Content-Type", content);
        for (name, value) in &ready.headers {
            request = request.header(name, value);
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            // The words of the library name hosts and causes, never headers.
            Err(error) => return Err(SendError::new(format!("{}: {error}", self.host()))),
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(wait_of);
        let mut answer = Vec::new();
        let reader = response.body_mut().as_reader().take(ANSWER_OCTETS_MAX).read_to_end(&mut answer);
        if let Err(error) = reader {
            return Err(SendError::new(format!("{}: the answer broke off: {error}", self.host())));
        }
        if !matches!(status, 401 | 403) {
            self.ready = Some(ready);
        }
        Ok(Answer { status, body: answer, retry_after })
    }

    /// Whom to name in an error: never the path, in which some receivers want a secret.
    fn host(&self) -> String {
        let uri = self.settings.url.parse::<ureq::http::Uri>().ok();
        uri.and_then(|uri| uri.authority().map(ToString::to_string)).unwrap_or_default()
    }

    fn prepare(&self) -> Result<Ready, SendError> {
        let settings = &self.settings;
        let mut headers = Vec::new();
        if let Some(path) = &settings.headers_file {
            for line in secret(path)?.lines().filter(|line| !line.trim().is_empty()) {
                // Never the line itself: it is a secret.
                let wrong = || SendError::new(format!("{}: expected lines `Name: value`", path.display()));
                let (name, value) = line.split_once(':').ok_or_else(wrong)?;
                headers.push((name.trim().parse().map_err(|_| wrong())?, value_of(value).ok_or_else(wrong)?));
            }
        }
        if let Some(path) = &settings.api_key_file {
            let wrong = || SendError::new(format!("{}: expected an API key on one line", path.display()));
            let key = secret(path)?;
            if key.trim().is_empty() {
                return Err(wrong());
            }
            let value = value_of(&format!("ApiKey {}", key.trim())).ok_or_else(wrong)?;
            headers.push((HeaderName::from_static("authorization"), value));
        }
        let mut trust = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()));
        if let Some(path) = &settings.tls.authority {
            let found: Vec<_> = tls::certificates(path)?;
            let roots: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
            trust = trust.root_certs(RootCerts::from(roots.into_iter()));
        }
        if let Some((chain, key)) = &settings.tls.client {
            let wrong = |error: ureq::Error| SendError::new(format!("{}: {error}", key.display()));
            tls::private_key(key)?;
            let chain: Vec<_> =
                tls::certificates(chain)?.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
            let pem = std::fs::read(key).map_err(|error| SendError::new(format!("{}: {error}", key.display())))?;
            let key = PrivateKey::from_pem(&pem).map_err(wrong)?;
            trust = trust.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        let config = ureq::Agent::config_builder()
            .tls_config(trust.build())
            .http_status_as_error(false)
            // Where records go is for the configuration to say: no other host, no proxy of the surroundings.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(1)
            .user_agent(concat!("yagura/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(settings.timeout))
            .build();
        Ok(Ready { agent: config.new_agent(), headers })
    }
}

/// A header's value that no library prints.
fn value_of(text: &str) -> Option<HeaderValue> {
    let mut value: HeaderValue = text.trim().parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn secret(path: &std::path::Path) -> Result<String, SendError> {
    tls::kept_secret(path)?;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(SECRETS_OCTETS_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(SendError::new(format!("{}: {error}", path.display()))),
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn wait_of(value: &str) -> Option<Duration> {
    let value = value.trim();
    let seconds = match value.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_second();
            u64::try_from(at.saturating_sub(jiff::Timestamp::now().as_second())).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_tells_how_long_to_wait_in_either_way() {
        assert_eq!(wait_of("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait_of("99999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(wait_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = jiff::Timestamp::now().as_second() + 100;
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&jiff::Timestamp::from_second(soon).unwrap())
            .unwrap();
        assert!(matches!(wait_of(&date), Some(wait) if (98..=100).contains(&wait.as_secs())), "{date}");
        assert_eq!(wait_of("soon"), None);
    }
}
