//! Figures for Prometheus, to this machine alone.

use crate::status::{Board, State, Status};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Octets of a request that are read at most.
const REQUEST_OCTETS_MAX: usize = 4_096;

/// How long one request may take, from the first octet to the last.
const REQUEST: Duration = Duration::from_secs(1);

/// A figure of a status: name, help, value.
type Figure = (&'static str, &'static str, fn(&Status) -> u64);

const COUNTERS: [Figure; 5] = [
    ("yagura_output_delivered", "Records that the receiver has", |status| status.delivered),
    ("yagura_output_passed_over", "Records that the output does not tell", |status| status.passed_over),
    ("yagura_output_refused", "Records that the receiver will never take", |status| status.refused),
    ("yagura_output_lost", "Records that left the journal before they were delivered", |status| status.lost),
    ("yagura_output_failures", "Attempts that failed", |status| status.failures),
];

const GAUGES: [Figure; 2] = [
    ("yagura_output_acknowledged_sequence", "Every record up to this sequence is dealt with", |s| s.acknowledged),
    ("yagura_output_read_sequence", "The last sequence that was read", |status| status.read),
];

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

/// The outputs' states as figures.
pub struct Figures(pub Board);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let statuses = self.0.statuses();
        for (name, help, value) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for status in &statuses {
                let labels = [("output", status.name.as_str())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value(status), None)?;
            }
        }
        for (name, help, value) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for status in &statuses {
                let labels = [("output", status.name.as_str())];
                family.encode_family(&labels)?.encode_gauge(&value(status))?;
            }
        }
        let help = "1 for the state that the output is in";
        let mut family = encoder.encode_descriptor("yagura_output_state", help, None, MetricType::Gauge)?;
        for status in &statuses {
            for state in State::ALL {
                let labels = [("output", status.name.as_str()), ("state", state.name())];
                family.encode_family(&labels)?.encode_gauge(&u64::from(status.state == state))?;
            }
        }
        Ok(())
    }
}

/// A registry with the outputs' figures; the caller may add others.
pub fn registry(board: &Board) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(board.clone())));
    registry
}

/// Answers `GET /metrics`, one request after the other.
pub struct Server {
    listener: TcpListener,
    registry: Registry,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The address is not loopback, or taken.
    pub fn open(listen: SocketAddr, registry: Registry) -> io::Result<Self> {
        if !listen.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{listen} is no loopback address")));
        }
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, registry })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system answers.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is told to stop.
    pub fn run(&self, stop: &Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            match self.listener.accept() {
                // Whoever asks wrongly or too slowly gets nothing, and the next one is heard.
                Ok((stream, _)) => drop(self.answer(stream)),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(REQUEST))?;
        let request = read_request(&mut stream)?;
        let line = request.lines().next().unwrap_or_default();
        let mut words = line.split(' ');
        let (status, body) = match (words.next(), words.next()) {
            (Some("GET"), Some("/metrics")) => {
                let mut body = String::new();
                match encode(&mut body, &self.registry) {
                    Ok(()) => ("200 OK", body),
                    Err(_) => ("500 Internal Server Error", String::new()),
                }
            }
            (Some("GET"), _) => ("404 Not Found", "the figures are at /metrics\n".to_owned()),
            _ => ("405 Method Not Allowed", String::new()),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let begun = Instant::now();
    let mut request = Vec::new();
    let mut octets = [0_u8; 1_024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = REQUEST.saturating_sub(begun.elapsed());
        if left.is_zero() || request.len() > REQUEST_OCTETS_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut octets)?;
        if read == 0 {
            break;
        }
        request.extend_from_slice(octets.get(..read).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&request).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn figures_are_told_and_nothing_else() {
        let board = Board::new();
        let place = board.add(Status { name: "siem".to_owned(), ..Status::default() });
        board.change(place, |status| {
            status.delivered = 7;
            status.acknowledged = 9;
            status.turn(State::Failing);
        });
        let server = Server::open("127.0.0.1:0".parse().unwrap(), registry(&board)).unwrap();
        let (address, stop) = (server.address().unwrap(), Arc::new(AtomicBool::new(false)));
        let ends = Arc::clone(&stop);
        let thread = std::thread::spawn(move || server.run(&ends));
        // One who connects and says nothing does not keep the others from being answered.
        let _silent = TcpStream::connect(address).unwrap();
        let answer = asked(address, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        for line in [
            "yagura_output_delivered_total{output=\"siem\"} 7",
            "yagura_output_acknowledged_sequence{output=\"siem\"} 9",
            "yagura_output_state{output=\"siem\",state=\"failing\"} 1",
            "yagura_output_state{output=\"siem\",state=\"idle\"} 0",
            "# EOF",
        ] {
            assert!(answer.lines().any(|told| told == line), "{line}: {answer}");
        }
        assert!(asked(address, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(asked(address, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }

    #[test]
    fn nobody_else_may_ask() {
        assert!(Server::open("0.0.0.0:0".parse().unwrap(), Registry::default()).is_err());
    }
}
