//! What systemd is told (`sd_notify`): over a socket that is opened at the start, since under a filter none can be.
//!
//! The protocol is lines of `NAME=VALUE` in a datagram to the socket named by `NOTIFY_SOCKET`. A message that cannot be
//! sent is lost without a word: the service manager's clock then does what it is there for.
//!
//! The service manager listens to the first process alone. The supervisor therefore keeps the [`Notifier`] in a
//! [`Relay`], which passes on what the sensor process says over a pair of sockets: one of them is that process's
//! standard input, the only descriptor that a child can be given and find without more.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The longest status line told, in octets.
const STATUS_OCTETS_MAX: usize = 512;

/// The longest message passed on, in octets.
const MESSAGE_OCTETS_MAX: usize = 1_024;

/// Messages that are passed on at one look, so that a sensor that talks without end does not hold up its supervisor.
const MESSAGES_MAX: usize = 64;

/// What a sensor may have its supervisor say. Other names (of the main process, of stored descriptors) are not for it.
const PASSED_ON: [&str; 6] = ["READY=1", "RELOADING=1", "MONOTONIC_USEC=", "STOPPING=1", "WATCHDOG=1", "STATUS="];

/// The way to the service manager, if there is one.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Opens the socket that the environment names. Without one, everything told goes nowhere.
    ///
    /// # Errors
    /// A socket is named, but cannot be reached.
    pub fn open() -> io::Result<Self> {
        let name = std::env::var("NOTIFY_SOCKET").ok();
        let socket = name.filter(|name| !name.is_empty()).map(|name| connect(&name)).transpose()?;
        let interval = std::env::var("WATCHDOG_USEC").ok();
        let process = std::env::var("WATCHDOG_PID").ok();
        Ok(Self { socket, watchdog: interval_of(interval.as_deref(), process.as_deref(), std::process::id()) })
    }

    /// Takes the way over the parent process, if standard input is the socket that a [`Relay`] gave; otherwise, as when
    /// the process is run by hand, everything told goes nowhere.
    ///
    /// # Errors
    /// Standard input cannot be duplicated.
    pub fn over_the_parent() -> io::Result<Self> {
        let socket = UnixDatagram::from(io::stdin().as_fd().try_clone_to_owned()?);
        // What is no Unix socket has no such address.
        let socket = if socket.local_addr().is_ok() { Some(socket) } else { None };
        if let Some(socket) = &socket {
            socket.set_nonblocking(true)?;
        }
        // The environment is the parent's, and names the parent: that is who is watched, by way of this process.
        let interval = std::env::var("WATCHDOG_USEC").ok();
        Ok(Self { socket, watchdog: interval_of(interval.as_deref(), None, std::process::id()) })
    }

    /// Whether somebody listens.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// After how long without [`Self::watchdog`] the service manager ends this process; it should be told at half of
    /// it. `None` if it does not watch.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The start is over: frames are taken.
    pub fn ready(&self) {
        self.send("READY=1\n");
    }

    /// The configuration is read anew; [`Self::ready`] must follow.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec.wrapping_div(1_000));
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    /// Everything moves. To be told only after [`crate::watchdog::Watchdog::look`] found nothing stuck.
    pub fn watchdog(&self) {
        self.send("WATCHDOG=1\n");
    }

    /// One line for `systemctl status`. It is cut at 512 octets, and control characters become spaces.
    pub fn status(&self, text: &str) {
        self.send(&status_line(text));
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            // `write`, not `send`: the filter of a thread with files has the one and not the other. Nobody is there to
            // be told of a failure; see the head of the file.
            let _lost = rustix::io::write(socket, message.as_bytes());
        }
    }
}

/// The supervisor's end: passes on to the service manager what the sensor process says.
#[derive(Debug)]
pub struct Relay {
    notifier: Notifier,
    from: UnixDatagram,
}

impl Relay {
    /// Makes the pair of sockets. The second answer is to be the standard input of the sensor process.
    ///
    /// # Errors
    /// The kernel gives no sockets.
    pub fn new(notifier: Notifier) -> io::Result<(Self, OwnedFd)> {
        let (from, to) = UnixDatagram::pair()?;
        from.set_nonblocking(true)?;
        Ok((Self { notifier, from }, to.into()))
    }

    /// Passes on what was said since the last look, and tells whether anything was. To be called some times a second.
    /// A message with anything in it that is not the sensor's to say is dropped whole.
    pub fn pass_on(&self) -> bool {
        let mut heard = false;
        let mut octets = [0; MESSAGE_OCTETS_MAX];
        for _ in 0..MESSAGES_MAX {
            let Ok(length) = self.from.recv(&mut octets) else { break };
            let message = octets.get(..length).and_then(|octets| std::str::from_utf8(octets).ok());
            let Some(message) = message.filter(|message| is_passed_on(message)) else { continue };
            heard = true;
            self.notifier.send(message);
        }
        heard
    }
}

fn is_passed_on(message: &str) -> bool {
    !message.is_empty()
        && message.lines().all(|line| {
            let fits = |known: &&str| if known.ends_with('=') { line.starts_with(*known) } else { line == *known };
            PASSED_ON.iter().any(fits)
        })
}

fn connect(name: &str) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A service manager that does not read must not stop us.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The interval, unless it is meant for another process.
fn interval_of(interval: Option<&str>, process: Option<&str>, own: u32) -> Option<Duration> {
    if process.is_some_and(|process| process.parse() != Ok(own)) {
        return None;
    }
    let microseconds: u64 = interval?.parse().ok()?;
    (microseconds > 0).then(|| Duration::from_micros(microseconds))
}

fn status_line(text: &str) -> String {
    let mut line = String::from("STATUS=");
    for character in text.chars() {
        if line.len().saturating_add(character.len_utf8()) > STATUS_OCTETS_MAX {
            break;
        }
        line.push(if character.is_control() { ' ' } else { character });
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_arrives_in_order() {
        let name = format!("yagura-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier { socket: Some(connect(&format!("@{name}")).unwrap()), watchdog: None };
        notifier.ready();
        notifier.reloading();
        notifier.watchdog();
        notifier.stopping();
        let mut octets = [0; 128];
        let mut next = || {
            let length = listener.recv(&mut octets).unwrap();
            String::from_utf8(octets[..length].to_vec()).unwrap()
        };
        assert_eq!(next(), "READY=1\n");
        let reloading = next();
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim();
        assert!(since.parse::<u64>().unwrap() > 0);
        assert_eq!(next(), "WATCHDOG=1\n");
        assert_eq!(next(), "STOPPING=1\n");
    }

    /// The main thread of the sensor feeds the watchdog when it is confined and has its filter.
    #[test]
    fn it_is_heard_from_within_the_containment() {
        use crate::{Role, paths, seccomp};
        let name = format!("yagura-notify-within-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let notifier = Notifier { socket: Some(connect(&format!("@{name}")).unwrap()), watchdog: None };
        std::thread::spawn(move || {
            paths::confine(&paths::Reach::default()).unwrap();
            let filter = seccomp::Filter::new(Role::Journal, &seccomp::Descriptors::default()).unwrap();
            if let Err(error) = filter.apply() {
                eprintln!("without a filter: {error}");
            }
            notifier.watchdog();
            notifier.reloading();
        })
        .join()
        .unwrap();
        let mut octets = [0; 128];
        assert_eq!(listener.recv(&mut octets).unwrap(), "WATCHDOG=1\n".len());
        assert!(listener.recv(&mut octets).unwrap() > "RELOADING=1\n".len());
    }

    #[test]
    fn a_supervisor_passes_on_what_is_the_sensors_to_say() {
        let name = format!("yagura-relay-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        manager.set_nonblocking(true).unwrap();
        let upwards = Notifier { socket: Some(connect(&format!("@{name}")).unwrap()), watchdog: None };
        let (relay, to) = Relay::new(upwards).unwrap();
        let sensor = Notifier { socket: Some(UnixDatagram::from(to)), watchdog: None };
        assert!(!relay.pass_on(), "nothing was said yet");
        sensor.ready();
        sensor.send("MAINPID=1\n");
        sensor.send("WATCHDOG=trigger\n");
        sensor.send("READY=1\nFDSTORE=1\n");
        sensor.send("");
        sensor.reloading();
        sensor.status("2 ports");
        assert!(relay.pass_on());
        assert!(!relay.pass_on());
        let mut octets = [0; 128];
        let mut next = || {
            let length = manager.recv(&mut octets).ok()?;
            String::from_utf8(octets[..length].to_vec()).ok()
        };
        assert_eq!(next().as_deref(), Some("READY=1\n"));
        assert!(next().unwrap().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(next().as_deref(), Some("STATUS=2 ports\n"));
        assert_eq!(next(), None);
    }

    /// The part of the next test that is the child. By itself it does nothing.
    #[test]
    fn speaks_if_it_is_told_to() {
        if std::env::var_os("YAGURA_TEST_SPEAKS").is_some() {
            Notifier::over_the_parent().unwrap().ready();
        }
    }

    #[test]
    fn a_child_speaks_over_its_standard_input() {
        let (relay, to) = Relay::new(Notifier { socket: None, watchdog: None }).unwrap();
        let speak = |input: std::process::Stdio| {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "notify::tests::speaks_if_it_is_told_to"])
                .env("YAGURA_TEST_SPEAKS", "1")
                .stdin(input)
                .output();
            assert!(output.unwrap().status.success());
        };
        speak(std::process::Stdio::null());
        assert!(!relay.pass_on());
        speak(to.into());
        assert!(relay.pass_on());
    }

    #[test]
    fn a_socket_that_is_not_there_is_an_error() {
        assert!(connect("/nonexistent/notify").is_err());
        assert!(connect("@yagura-nobody-listens-here").is_err());
    }

    #[test]
    fn a_status_is_one_line_and_bounded() {
        assert_eq!(status_line("2 ports\nREADY=1"), "STATUS=2 ports READY=1\n");
        assert!(status_line(&"é".repeat(4_000)).len() <= STATUS_OCTETS_MAX + 1);
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let ten = Some(Duration::from_secs(10));
        assert_eq!(interval_of(Some("10000000"), None, 7), ten);
        assert_eq!(interval_of(Some("10000000"), Some("7"), 7), ten);
        assert_eq!(interval_of(Some("10000000"), Some("8"), 7), None);
        assert_eq!(interval_of(Some("0"), None, 7), None);
        assert_eq!(interval_of(Some("ten"), None, 7), None);
        assert_eq!(interval_of(None, Some("7"), 7), None);
    }
}
