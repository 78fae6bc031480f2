//! Syslog by TCP (RFC 6587) and TLS (RFC 5425).
//!
//! Nothing in these protocols tells that a message has arrived. A record counts as confirmed once it was written a second
//! ago, the receiver's kernel has acknowledged its octets, and the connection still lives. Where the acknowledgement
//! cannot be seen (`/proc` is out of reach), the wait is longer than the kernel gives a receiver that acknowledges
//! nothing. All that is not confirmed when a connection is lost is sent again. What a receiver's kernel has taken and its
//! program has not read when it dies is lost: that is these protocols' own gap, and the reason to prefer an
//! output that answers.

use super::{Message, SendError, Sent, Sink, Window, tls};
use crate::settings::SyslogSettings;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How old a record is at least when it is confirmed.
const SETTLED: Duration = Duration::from_secs(1);

/// The same where nobody tells what was acknowledged: longer than [`UNACKNOWLEDGED_MS`].
const SETTLED_BLINDLY: Duration = Duration::from_secs(5);

/// The kernel gives up a connection whose octets are unacknowledged for so long, in ms.
const UNACKNOWLEDGED_MS: u32 = 4_000;

/// Octets that the kernel holds for a receiver: the less, the less is on its way when one dies.
const SEND_BUFFER_OCTETS: usize = 65_536;

/// Octets that are written at once.
const CHUNK_OCTETS: usize = 32_768;

/// Octets of `/proc/self/net/tcp` that are read at most.
const TABLE_OCTETS_MAX: u64 = 1 << 20;

/// Reads of what a receiver says, whenever it is looked after.
const READS_MAX: usize = 16;

/// How long the receiver has at the end to hang up.
const FINISH: Duration = Duration::from_millis(1_000);

/// A stream of messages.
pub struct StreamSink {
    settings: SyslogSettings,
    connection: Option<Connection>,
    /// What is written and not confirmed, the oldest first.
    written: VecDeque<Written>,
}

/// Records that were written together.
struct Written {
    at: Instant,
    /// Octets of the connection when they were written.
    octets: u64,
    records: usize,
}

/// A socket that counts what goes into it.
struct Socket {
    stream: TcpStream,
    octets: u64,
}

impl Write for Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(octets)?;
        self.octets = self.octets.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.stream.read(octets)
    }
}

struct Connection {
    socket: Socket,
    session: Option<Box<ClientConnection>>,
    ends: Option<(SocketAddr, SocketAddr)>,
}

impl StreamSink {
    /// Nothing is opened yet.
    pub fn new(settings: SyslogSettings) -> Self {
        Self { settings, connection: None, written: VecDeque::new() }
    }

    fn lost(&mut self, error: &dyn std::fmt::Display) -> SendError {
        self.connection = None;
        self.written.clear();
        SendError::new(format!("{}: {error}", self.settings.address))
    }

    fn connect(&self) -> Result<Connection, SendError> {
        // Files first: there is no use in a connection that cannot be trusted.
        let trust = self.settings.tls.as_ref().map(tls::client).transpose()?;
        let told = |error: &dyn std::fmt::Display| SendError::new(format!("{}: {error}", self.settings.address));
        let mut last = told(&"no address");
        for address in self.settings.address.to_socket_addrs().map_err(|error| told(&error))? {
            match Connection::open(address, self.settings.timeout, trust.as_ref()) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = told(&error),
            }
        }
        Err(last)
    }

    fn framed(&self, text: &str, into: &mut Vec<u8>) {
        if self.settings.octet_counting {
            // RFC 6587, section 3.4.1: the count, a space, the message.
            into.extend_from_slice(text.len().to_string().as_bytes());
            into.push(b' ');
            into.extend_from_slice(text.as_bytes());
        } else {
            into.extend_from_slice(text.as_bytes());
            into.push(b'\n');
        }
    }
}

impl Sink for StreamSink {
    fn window(&self) -> Window {
        Window { records: 8_192, octets: 16 << 20 }
    }

    fn send(&mut self, batch: &[Message]) -> Result<Sent, SendError> {
        let mut connection = match self.connection.take() {
            Some(mut connection) => match connection.listen() {
                Ok(()) => connection,
                Err(_) if self.written.is_empty() => self.connect()?,
                Err(error) => return Err(self.lost(&error)),
            },
            None => {
                self.written.clear();
                self.connect()?
            }
        };
        let mut chunk = Vec::with_capacity(CHUNK_OCTETS);
        let mut records = 0_usize;
        let last = batch.len().saturating_sub(1);
        for (at, message) in batch.iter().enumerate() {
            self.framed(&message.text, &mut chunk);
            records = records.saturating_add(1);
            if chunk.len() < CHUNK_OCTETS && at < last {
                continue;
            }
            if let Err(error) = connection.write(&chunk) {
                return Err(self.lost(&error));
            }
            self.written.push_back(Written { at: Instant::now(), octets: connection.socket.octets, records });
            chunk.clear();
            records = 0;
        }
        self.connection = Some(connection);
        Ok(Sent { taken: batch.len(), ..Sent::default() })
    }

    fn confirm(&mut self) -> Result<usize, SendError> {
        let Some(connection) = &mut self.connection else { return Ok(0) };
        if let Err(error) = connection.listen() {
            if self.written.is_empty() {
                // Whoever hangs up while nothing is said has every right to: the next record makes a new connection.
                self.connection = None;
                return Ok(0);
            }
            return Err(self.lost(&error));
        }
        if self.written.front().is_none_or(|written| written.at.elapsed() < SETTLED) {
            return Ok(0);
        }
        let acknowledged = connection.acknowledged();
        let mut confirmed = 0_usize;
        while let Some(written) = self.written.front() {
            let is_there = match acknowledged {
                Some(octets) => written.at.elapsed() >= SETTLED && octets >= written.octets,
                None => written.at.elapsed() >= SETTLED_BLINDLY,
            };
            if !is_there {
                break;
            }
            confirmed = confirmed.saturating_add(written.records);
            self.written.pop_front();
        }
        Ok(confirmed)
    }

    fn finish(&mut self) -> usize {
        let Some(connection) = self.connection.take() else { return 0 };
        let records = self.written.iter().map(|written| written.records).sum();
        self.written.clear();
        // A receiver that hangs up after us has read to the end.
        if connection.end() { records } else { 0 }
    }
}

impl Connection {
    fn open(
        address: SocketAddr,
        timeout: Duration,
        trust: Option<&(Arc<ClientConfig>, ServerName<'static>)>,
    ) -> io::Result<Self> {
        let deadline = Instant::now().checked_add(timeout);
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_OCTETS)?;
        rustix::net::sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MS)?;
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        rustix::net::sockopt::set_tcp_keepidle(&stream, Duration::from_secs(30))?;
        let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?))).ok();
        let mut connection = Self { socket: Socket { stream, octets: 0 }, session: None, ends };
        if let Some((config, name)) = trust {
            let session = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
            connection.shake_hands(session, deadline)?;
        }
        Ok(connection)
    }

    /// The whole handshake has the time of one connection, however many octets it comes in.
    fn shake_hands(&mut self, mut session: ClientConnection, deadline: Option<Instant>) -> io::Result<()> {
        while session.is_handshaking() || session.wants_write() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let late = "the receiver does not finish the TLS handshake";
            let left =
                left.filter(|left| !left.is_zero()).ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, late))?;
            if session.wants_write() {
                session.write_tls(&mut self.socket).map_err(|error| in_time(error, late))?;
                continue;
            }
            let whole = self.socket.stream.read_timeout()?;
            self.socket.stream.set_read_timeout(Some(left))?;
            let read = session.read_tls(&mut self.socket);
            self.socket.stream.set_read_timeout(whole)?;
            if read.map_err(|error| in_time(error, late))? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "hung up in the TLS handshake"));
            }
            if let Err(error) = session.process_new_packets() {
                // The receiver shall hear why.
                let _ = session.write_tls(&mut self.socket);
                return Err(io::Error::other(format!("TLS: {error}")));
            }
        }
        self.session = Some(Box::new(session));
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.write_whole(octets).map_err(|error| in_time(error, "the receiver does not read what is sent"))
    }

    fn write_whole(&mut self, octets: &[u8]) -> io::Result<()> {
        let Some(session) = &mut self.session else {
            return self.socket.write_all(octets);
        };
        let mut rest = octets;
        while !rest.is_empty() {
            let taken = session.writer().write(rest)?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(taken..).unwrap_or_default();
            while session.wants_write() {
                session.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// Whether the connection still lives. What a receiver says is read and forgotten: the protocol has no answers.
    fn listen(&mut self) -> io::Result<()> {
        self.socket.stream.set_nonblocking(true)?;
        let heard = self.hear();
        self.socket.stream.set_nonblocking(false)?;
        heard
    }

    fn hear(&mut self) -> io::Result<()> {
        let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "the receiver hung up");
        let mut heard = [0_u8; 4_096];
        for _ in 0..READS_MAX {
            let read = match &mut self.session {
                None => self.socket.read(&mut heard),
                Some(session) => session.read_tls(&mut self.socket),
            };
            match read {
                Ok(0) => return Err(closed()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(session) = &mut self.session {
                let state = session.process_new_packets().map_err(|error| io::Error::other(format!("TLS: {error}")))?;
                if state.peer_has_closed() {
                    return Err(closed());
                }
                let mut told = session.reader();
                while told.read(&mut heard).is_ok_and(|octets| octets > 0) {}
            }
        }
        Ok(())
    }

    /// Octets of this connection that the receiver's kernel has acknowledged; `None` where that cannot be seen.
    fn acknowledged(&self) -> Option<u64> {
        let (local, remote) = self.ends?;
        let table = if local.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
        let mut text = String::new();
        std::fs::File::open(table).ok()?.take(TABLE_OCTETS_MAX).read_to_string(&mut text).ok()?;
        let waiting = waiting(&text, local.port(), remote.port())?;
        Some(self.socket.octets.saturating_sub(waiting))
    }

    /// Ends in order; whether the receiver did so too.
    fn end(mut self) -> bool {
        let short = |stream: &TcpStream| stream.set_write_timeout(Some(FINISH)).is_ok();
        if !short(&self.socket.stream) {
            return false;
        }
        if let Some(session) = &mut self.session {
            session.send_close_notify();
            while session.wants_write() {
                if session.write_tls(&mut self.socket).is_err() {
                    return false;
                }
            }
        }
        if self.socket.stream.shutdown(Shutdown::Write).is_err() {
            return false;
        }
        let Some(deadline) = Instant::now().checked_add(FINISH) else { return false };
        let mut heard = [0_u8; 4_096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.socket.stream.set_read_timeout(Some(left)).is_err() {
                return false;
            }
            match self.socket.stream.read(&mut heard) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

/// A socket whose time is over says only that it would have to wait: in words, what for.
fn in_time(error: io::Error, late: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::new(io::ErrorKind::TimedOut, late),
        _ => error,
    }
}

/// Octets of a connection that wait for an acknowledgement, from the kernel's table of connections: of several with
/// these two ports the most.
fn waiting(table: &str, local: u16, remote: u16) -> Option<u64> {
    let (local, remote) = (format!(":{local:04X}"), format!(":{remote:04X}"));
    let found = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (from, to, _state, queues) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
        let is_it = from.ends_with(&local) && to.ends_with(&remote);
        is_it.then(|| queues.split_once(':').and_then(|(out, _)| u64::from_str_radix(out, 16).ok()))?
    });
    found.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_read_from_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n\
            \x20  1: 0100007F:C350 0100007F:01F6 01 0000000A:00000000 01:00000014\n\
            \x20  2: 0100007F:C350 0200007F:01F6 01 0000000B:00000003 01:00000014\n";
        assert_eq!(waiting(table, 0xC350, 502), Some(11));
        assert_eq!(waiting(table, 502, 0xC350), None);
        assert_eq!(waiting("", 1, 2), None);
    }

    #[test]
    fn the_kernel_tells_what_was_acknowledged() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut connection = Connection::open(address, Duration::from_secs(1), None).unwrap();
        let _peer = server.accept().unwrap();
        connection.write(&[b'a'; 1_000]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        // Nobody reads, yet the kernel has it.
        assert_eq!(connection.acknowledged(), Some(1_000));
        let _ = connection.write(&[b'b'; 10_000]);
        connection.socket.stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        while connection.write(&[b'c'; 65_536]).is_ok() {}
        let known = connection.acknowledged().unwrap();
        assert!((11_000..connection.socket.octets).contains(&known), "{known} of {}", connection.socket.octets);
    }
}
