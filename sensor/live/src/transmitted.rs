//! `Transmitted`: whether a monitored interface sends, which it never should.

use crate::error::Error;
use crate::interface::{Interface, Watch};

/// What an interface sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmission {
    /// The interface.
    pub interface: String,
    /// Frames since the last look that told of it.
    pub frames: u64,
    /// Octets since then.
    pub octets: u64,
    /// Frames since the watch began.
    pub frames_in_all: u64,
}

/// A watch on what interfaces send. Any program of this machine may be the one that sends: what is counted is the port.
#[derive(Debug)]
pub struct Transmitted {
    ports: Vec<Port>,
}

#[derive(Debug)]
struct Port {
    name: String,
    watch: Watch,
    sent: Sent,
}

impl Transmitted {
    /// A watch that begins now.
    ///
    /// # Errors
    /// Where an interface is not there.
    pub fn of<'a>(interfaces: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut ports = Vec::new();
        for name in interfaces {
            let interface = Interface::named(name)?;
            let counters = interface.counters()?;
            let sent = Sent::after(counters.sent, counters.sent_octets);
            ports.push(Port { name: name.to_owned(), watch: interface.watch()?, sent });
        }
        Ok(Self { ports })
    }

    /// What was sent since the last look: nothing of those that sent nothing. Of an interface that went away and came
    /// back, everything since it came back counts, where its files may be opened again.
    pub fn look(&mut self) -> Vec<Transmission> {
        let mut told = Vec::new();
        for port in &mut self.ports {
            let counters = port.watch.counters().ok().or_else(|| {
                port.watch = Interface::named(&port.name).ok()?.watch().ok()?;
                port.watch.counters().ok()
            });
            let Some(counters) = counters else { continue };
            let (frames, octets) = port.sent.now(counters.sent, counters.sent_octets);
            if frames > 0 {
                let frames_in_all = port.sent.frames_in_all;
                told.push(Transmission { interface: port.name.clone(), frames, octets, frames_in_all });
            }
        }
        told
    }
}

/// Two counters that may start anew.
#[derive(Debug, Clone, Copy)]
struct Sent {
    frames: u64,
    octets: u64,
    frames_in_all: u64,
}

impl Sent {
    fn after(frames: u64, octets: u64) -> Self {
        Self { frames, octets, frames_in_all: 0 }
    }

    /// How much was sent since. Where the counters are behind, the driver began again, and all they say is new.
    fn now(&mut self, frames: u64, octets: u64) -> (u64, u64) {
        let anew = frames < self.frames;
        let more = if anew {
            (frames, octets)
        } else {
            (frames.saturating_sub(self.frames), octets.saturating_sub(self.octets))
        };
        self.frames = frames;
        self.octets = octets;
        self.frames_in_all = self.frames_in_all.saturating_add(more.0);
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_counts_not_and_what_is_sent_counts_once() {
        let mut sent = Sent::after(10, 1_000);
        assert_eq!(sent.now(10, 1_000), (0, 0));
        assert_eq!(sent.now(12, 1_200), (2, 200));
        assert_eq!(sent.now(12, 1_200), (0, 0));
        assert_eq!(sent.now(1, 60), (1, 60), "the driver began again");
        assert_eq!(sent.frames_in_all, 3);
    }

    #[test]
    fn the_loopback_is_seen_to_send() {
        let mut transmitted = Transmitted::of(["lo"]).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        let told = transmitted.look();
        assert_eq!(told.len(), 1);
        assert!(told[0].frames >= 1 && told[0].octets > told[0].frames, "{told:?}");
        assert!(matches!(Transmitted::of(["no-such-port"]), Err(Error::Missing { .. })));
    }
}
