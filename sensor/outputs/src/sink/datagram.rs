//! Syslog by UDP (RFC 5426): best effort, and said so.

use super::{Message, SendError, Sent, Sink, Window};
use crate::settings::SyslogSettings;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

/// Datagrams that are sent one after the other, and the pause behind so many: a receiver that catches up needs time.
const BURST: usize = 64;
const PAUSE: Duration = Duration::from_millis(10);

/// One datagram a record.
pub struct DatagramSink {
    settings: SyslogSettings,
    socket: Option<UdpSocket>,
}

impl DatagramSink {
    /// Nothing is opened yet.
    pub fn new(settings: SyslogSettings) -> Self {
        Self { settings, socket: None }
    }

    fn open(&self) -> Result<UdpSocket, SendError> {
        let told = |error: &dyn std::fmt::Display| SendError::new(format!("{}: {error}", self.settings.address));
        let addresses = self.settings.address.to_socket_addrs().map_err(|error| told(&error))?;
        let mut last = SendError::new(format!("{}: no address", self.settings.address));
        for address in addresses {
            let local = match address {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            };
            match UdpSocket::bind(local).and_then(|socket| socket.connect(address).map(|()| socket)) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = told(&error),
            }
        }
        Err(last)
    }
}

impl Sink for DatagramSink {
    fn window(&self) -> Window {
        Window { records: BURST, octets: 1 << 20 }
    }

    fn is_reliable(&self) -> bool {
        false
    }

    fn send(&mut self, batch: &[Message]) -> Result<Sent, SendError> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.open()?,
        };
        let mut sent = Sent::default();
        for message in batch {
            // A refusal is of an earlier datagram (RFC 1122, section 4.1.3.3): the port is closed, and this one is kept.
            if let Err(error) = socket.send(message.text.as_bytes()) {
                if sent.taken == 0 {
                    return Err(SendError::new(format!("{}: {error}", self.settings.address)));
                }
                break;
            }
            sent.taken = sent.taken.saturating_add(1);
        }
        if sent.taken >= BURST {
            std::thread::sleep(PAUSE);
        }
        sent.confirmed = sent.taken;
        self.socket = Some(socket);
        Ok(sent)
    }
}
