//! Tries, in every role, what must not be possible, and says what came of it.
//!
//! Each attempt is made on a fresh thread, which gives up its user (if that is root), its capabilities and its system
//! calls as the sensor's threads do, tries, and ends. Whatever is tried does no harm should it succeed: programs that
//! do not exist, sockets that are bound to no interface, files that are removed again. What safe code cannot try,
//! because no safe function makes the call, is *asked*: the filter's own program is worked out for that call.
//!
//! A refusal by the filter is told from one by the kernel by its error: in the self-test the filter answers with one
//! that the kernel gives for none of these calls.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, mount};
use rustix::net::{AddressFamily, SocketType, bind, connect, send, socket};

use crate::paths::{InForce, Reach, confine};
use crate::seccomp::{Answer, Denial, Descriptors, Filter, MARK};
use crate::{Role, privileges};

/// The account that a thread takes on if the self-test is run by root: the kernel's own nobody.
const NOBODY: u32 = 65_534;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// `execve`: to become another program.
    Execute,
    /// `clone`: to start another process.
    Fork,
    /// `clone`: to start a thread.
    Thread,
    /// `socket`: for the Internet.
    Socket,
    /// `connect`: with a socket that is open.
    Connect,
    /// `bind`: to take connections.
    Listen,
    /// `socket`: for packets.
    PacketSocket,
    /// `sendto`: on a packet socket that is open.
    Send,
    /// `write`: on a packet socket that is open, which sends as well.
    WriteToSocket,
    /// `openat`: the passwords of the machine.
    ReadShadow,
    /// `openat`: a new file outside of the state folder.
    WriteOutside,
    /// `kill`: whether a process is there that is not ours.
    Signal,
    /// `mount`.
    Mount,
    /// `ptrace`.
    Trace,
    /// `process_vm_writev`: to change another process's memory.
    WriteMemory,
    /// `bpf`.
    Bpf,
    /// `finit_module`: to load code into the kernel.
    LoadModule,
    /// `unshare`: to become root of a name space.
    NameSpace,
    /// `io_uring_setup`: to have calls made past the filter.
    IoUring,
    /// `mmap`: memory that can be written and executed.
    CodeInMemory,
}

impl Attempt {
    /// All attempts, in the order in which they are made.
    pub const ALL: [Self; 20] = [
        Self::Execute,
        Self::Fork,
        Self::Thread,
        Self::Socket,
        Self::Connect,
        Self::Listen,
        Self::PacketSocket,
        Self::Send,
        Self::WriteToSocket,
        Self::ReadShadow,
        Self::WriteOutside,
        Self::Signal,
        Self::Mount,
        Self::Trace,
        Self::WriteMemory,
        Self::Bpf,
        Self::LoadModule,
        Self::NameSpace,
        Self::IoUring,
        Self::CodeInMemory,
    ];

    /// Whether the role is there to do this, so that it is not denied.
    fn belongs_to(self, role: Role) -> bool {
        match role {
            Role::Capture | Role::Parse | Role::Journal => false,
            // It has no packet socket, so that sending and writing are what it is for.
            Role::Output => matches!(
                self,
                Self::Thread | Self::Socket | Self::Connect | Self::Listen | Self::Send | Self::WriteToSocket
            ),
            // Its children start as what they will not remain.
            Role::Supervisor => !matches!(
                self,
                Self::Mount
                    | Self::Trace
                    | Self::WriteMemory
                    | Self::Bpf
                    | Self::LoadModule
                    | Self::NameSpace
                    | Self::IoUring
            ),
        }
    }

    /// The call that is asked about where none is tried, with its arguments.
    fn asked(self) -> Option<(i64, [u64; 6])> {
        let code = u64::try_from(libc::PROT_WRITE | libc::PROT_EXEC).unwrap_or(0);
        let kind = u64::try_from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).unwrap_or(0);
        match self {
            Self::Trace => Some((libc::SYS_ptrace, [0; 6])),
            Self::WriteMemory => Some((libc::SYS_process_vm_writev, [0; 6])),
            Self::Bpf => Some((libc::SYS_bpf, [0; 6])),
            Self::LoadModule => Some((libc::SYS_finit_module, [0; 6])),
            Self::NameSpace => Some((libc::SYS_unshare, [0; 6])),
            Self::IoUring => Some((libc::SYS_io_uring_setup, [0; 6])),
            Self::CodeInMemory => Some((libc::SYS_mmap, [0, 4_096, code, kind, 0, 0])),
            _ => None,
        }
    }

    /// Whether only Landlock, or what the file permissions happen to be, stands in the way of a role with files.
    fn is_of_files(self) -> bool {
        matches!(self, Self::ReadShadow | Self::WriteOutside)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Execute => "run a program (execve)",
            Self::Fork => "start a process (clone)",
            Self::Thread => "start a thread (clone)",
            Self::Socket => "make a socket (socket)",
            Self::Connect => "connect (connect)",
            Self::Listen => "take connections (bind)",
            Self::PacketSocket => "make a packet socket (socket)",
            Self::Send => "send a frame (sendto)",
            Self::WriteToSocket => "write a frame (write)",
            Self::ReadShadow => "read /etc/shadow (openat)",
            Self::WriteOutside => "write elsewhere (openat)",
            Self::Signal => "signal another process (kill)",
            Self::Mount => "mount (mount)",
            Self::Trace => "trace a process (ptrace)",
            Self::WriteMemory => "write its memory (process_vm_writev)",
            Self::Bpf => "load a BPF program (bpf)",
            Self::LoadModule => "load a kernel module (finit_module)",
            Self::NameSpace => "a name space (unshare)",
            Self::IoUring => "calls past the filter (io_uring_setup)",
            Self::CodeInMemory => "write and run memory (mmap)",
        })
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The filter refused it.
    Filter,
    /// The filter lets the call through, and something behind it refused: Landlock, or the permissions. With the
    /// kernel's error number.
    Kernel(i32),
    /// The filter's program, worked out, refuses it or ends the process.
    Asked,
    /// It was let through.
    Allowed,
    /// It could not be tried.
    Untried(String),
}

/// How the outcome is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Denied, as it must be.
    Denied,
    /// The role is there to do this, and can.
    Intended,
    /// Not denied, since this kernel has no Landlock and the permissions allow it: the service manager's protection of
    /// the file system is all there is.
    Unguarded,
    /// Not as it must be: allowed to a role that must not, denied to one that must, or not tried.
    Wrong,
}

/// One attempt in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Who tried.
    pub role: Role,
    /// What was tried.
    pub attempt: Attempt,
    /// What came of it.
    pub outcome: Outcome,
    /// What to think of that.
    pub verdict: Verdict,
}

/// The whole of a self-test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Role by role, attempt by attempt.
    pub trials: Vec<Trial>,
    /// Landlock, as the trials found it.
    pub paths: InForce,
}

impl Report {
    /// Whether nothing is wrong. The caller exits with an error if not.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.trials.is_empty() && self.trials.iter().all(|trial| trial.verdict != Verdict::Wrong)
    }
}

/// A table: a line an attempt, a column a role, and a word on Landlock and on what is wrong below.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:<40}", "")?;
        for role in Role::ALL {
            write!(out, "{role:<12}")?;
        }
        writeln!(out)?;
        for attempt in Attempt::ALL {
            let mut line = format!("{attempt:<40}");
            for role in Role::ALL {
                let trial = self.trials.iter().find(|trial| trial.role == role && trial.attempt == attempt);
                line.push_str(&format!("{:<12}", trial.map_or("-", Trial::word)));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
        writeln!(out, "denied    by the system call filter; (denied) the same, worked out instead of tried")?;
        writeln!(out, "kept out  by Landlock or the file permissions;  intended  the role is there to do this")?;
        writeln!(out, "files     {}", self.paths)?;
        let wrong = self.trials.iter().filter(|trial| trial.verdict == Verdict::Wrong);
        for Trial { role, attempt, outcome, .. } in wrong {
            writeln!(out, "WRONG     {role}: {attempt}: {outcome:?}")?;
        }
        writeln!(out, "{}", if self.holds() { "The containment holds." } else { "The containment does NOT hold." })
    }
}

impl Trial {
    fn word(&self) -> &'static str {
        match (self.verdict, &self.outcome) {
            (Verdict::Denied, Outcome::Asked) => "(denied)",
            (Verdict::Denied, Outcome::Kernel(_)) => "kept out",
            (Verdict::Denied, _) => "denied",
            (Verdict::Intended, _) => "intended",
            (Verdict::Unguarded, _) => "UNGUARDED",
            (Verdict::Wrong, _) => "WRONG",
        }
    }
}

/// Makes all attempts in all roles. `elsewhere` is a folder outside of every state folder that anybody may write to,
/// such as `/var/tmp`; what is made there is removed.
///
/// For a process that does nothing else: threads take on another user, and where a role may start a process,
/// `/bin/true` is started.
#[must_use]
pub fn run(elsewhere: &Path) -> Report {
    let mut paths = InForce::NotSupported;
    let mut trials = Vec::new();
    for role in Role::ALL {
        for attempt in Attempt::ALL {
            let file = elsewhere.join(format!("yagura-selftest-{}-{role}", std::process::id()));
            let (outcome, found) = trial(role, attempt, file.clone());
            if attempt == Attempt::WriteOutside {
                // It is there only if the attempt succeeded.
                let _absent = std::fs::remove_file(&file);
            }
            let landlock = found.unwrap_or(InForce::NotSupported);
            let verdict = judge(role, attempt, &outcome, &landlock);
            if landlock != InForce::NotSupported {
                paths = landlock;
            }
            trials.push(Trial { role, attempt, outcome, verdict });
        }
    }
    Report { trials, paths }
}

fn judge(role: Role, attempt: Attempt, outcome: &Outcome, landlock: &InForce) -> Verdict {
    match (attempt.belongs_to(role), outcome) {
        (_, Outcome::Untried(_)) => Verdict::Wrong,
        (false, Outcome::Filter | Outcome::Asked) => Verdict::Denied,
        // What the permissions deny may be there for the next one to take: only of files is that an answer.
        (false, Outcome::Kernel(_)) if attempt.is_of_files() => Verdict::Denied,
        (false, Outcome::Allowed) if attempt.is_of_files() && *landlock == InForce::NotSupported => Verdict::Unguarded,
        (false, Outcome::Kernel(_) | Outcome::Allowed) => Verdict::Wrong,
        (true, Outcome::Allowed | Outcome::Kernel(_)) => Verdict::Intended,
        (true, Outcome::Filter | Outcome::Asked) => Verdict::Wrong,
    }
}

/// Makes one attempt on a thread of its own. The second answer is what Landlock made of it, where it was asked.
fn trial(role: Role, attempt: Attempt, file: PathBuf) -> (Outcome, Option<InForce>) {
    if let Some((number, arguments)) = attempt.asked() {
        let outcome = match Filter::new(role, &Descriptors::default()) {
            Err(error) => Outcome::Untried(error.to_string()),
            Ok(filter) => match filter.answer(number, arguments) {
                Answer::Allowed => Outcome::Allowed,
                Answer::Refused(_) | Answer::Killed => Outcome::Asked,
                Answer::Other(value) => Outcome::Untried(format!("the filter answers {value:#x}")),
            },
        };
        return (outcome, None);
    }
    let thread = std::thread::Builder::new().name(format!("trial-{role}"));
    match thread.spawn(move || on_this_thread(role, attempt, &file)).map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(error))) => (Outcome::Untried(error.to_string()), None),
        Ok(Err(_)) => (Outcome::Untried("the attempt ended its thread".to_owned()), None),
        Err(error) => (Outcome::Untried(error.to_string()), None),
    }
}

fn on_this_thread(
    role: Role,
    attempt: Attempt,
    file: &Path,
) -> Result<(Outcome, Option<InForce>), Box<dyn std::error::Error + Send + Sync>> {
    // What the sensor has open when its threads begin. A packet socket if we may make one, else one that may be sent to
    // as well: the filter sees no difference.
    let capture = socket(AddressFamily::PACKET, SocketType::RAW, None)
        .or_else(|_| socket(AddressFamily::INET, SocketType::DGRAM, None))?;
    let internet = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let mut landlock = None;
    if role != Role::Supervisor {
        if privileges::is_root() {
            privileges::become_user(NOBODY, NOBODY)?;
        }
        privileges::keep_none()?;
        let reach = Reach { network: role == Role::Output, ..Reach::default() };
        landlock = Some(confine(&reach)?.in_force);
    }
    let descriptors = Descriptors { writable: &[], capture_sockets: &[capture.as_fd()] };
    Filter::with(role, &descriptors, Denial::Marked)?.apply()?;
    let outcome = match attempted(attempt, &capture, &internet, file) {
        Ok(()) => Outcome::Allowed,
        Err(error) => match error.raw_os_error() {
            // The second is the filter's answer to calls that are newer than it is.
            Some(number) if number == MARK || number == libc::ENOSYS => Outcome::Filter,
            Some(number) => Outcome::Kernel(number),
            None => Outcome::Untried(error.to_string()),
        },
    };
    Ok((outcome, landlock))
}

/// Tries it. `Ok` is that it could be done.
fn attempted(attempt: Attempt, capture: &OwnedFd, internet: &OwnedFd, file: &Path) -> io::Result<()> {
    let here = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
    let discard = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9);
    match attempt {
        Attempt::Execute => return Err(Command::new("/nonexistent/yagura-selftest").exec()),
        Attempt::Fork => Command::new("/bin/true").spawn()?.wait().map(drop)?,
        Attempt::Thread => std::thread::Builder::new().spawn(|| ()).map(drop)?,
        Attempt::Socket => socket(AddressFamily::INET, SocketType::STREAM, None).map(drop)?,
        // A datagram socket only remembers whom it would send to.
        Attempt::Connect => connect(internet, &discard)?,
        Attempt::Listen => bind(internet, &here)?,
        Attempt::PacketSocket => socket(AddressFamily::PACKET, SocketType::RAW, None).map(drop)?,
        // Neither socket is bound or connected, so that nothing is sent even if it is let through.
        Attempt::Send => send(capture, &[0; 60], rustix::net::SendFlags::empty()).map(drop)?,
        Attempt::WriteToSocket => rustix::io::write(capture, &[0; 60]).map(drop)?,
        Attempt::ReadShadow => File::open("/etc/shadow").map(drop)?,
        Attempt::WriteOutside => File::create_new(file).map(drop)?,
        Attempt::Signal => {
            let init = rustix::process::Pid::INIT;
            rustix::process::test_kill_process(init)?;
        }
        Attempt::Mount => mount("none", "/nonexistent/yagura-selftest", "tmpfs", MountFlags::empty(), None)?,
        Attempt::Trace
        | Attempt::WriteMemory
        | Attempt::Bpf
        | Attempt::LoadModule
        | Attempt::NameSpace
        | Attempt::IoUring
        | Attempt::CodeInMemory => return Err(io::Error::other("nothing tries this")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// every attempt is denied to every role that has no business with it.
    #[test]
    fn every_role_is_kept_from_what_is_not_its_business() {
        let report = run(&std::env::temp_dir());
        if report.trials.iter().any(|trial| matches!(&trial.outcome, Outcome::Untried(why) if why.contains("refuses")))
        {
            eprintln!("skipped: this kernel takes no system call filter");
            return;
        }
        eprintln!("{report}");
        assert!(report.holds(), "{report}");
        assert_eq!(report.trials.len(), Role::ALL.len() * Attempt::ALL.len());
        for trial in report.trials.iter().filter(|trial| matches!(trial.role, Role::Capture | Role::Parse)) {
            assert!(matches!(trial.outcome, Outcome::Filter | Outcome::Asked), "{trial:?}");
        }
    }

    #[test]
    fn what_is_let_through_is_wrong_and_told() {
        let trial = |outcome: Outcome, landlock: &InForce| {
            let verdict = judge(Role::Journal, Attempt::WriteOutside, &outcome, landlock);
            Trial { role: Role::Journal, attempt: Attempt::WriteOutside, outcome, verdict }
        };
        let there = InForce::Enforced { abi: 6 };
        let wrong = trial(Outcome::Allowed, &there);
        assert_eq!(wrong.verdict, Verdict::Wrong);
        assert_eq!(trial(Outcome::Allowed, &InForce::NotSupported).verdict, Verdict::Unguarded);
        assert_eq!(trial(Outcome::Kernel(libc::EACCES), &there).verdict, Verdict::Denied);
        assert_eq!(trial(Outcome::Untried("?".to_owned()), &there).verdict, Verdict::Wrong);
        assert_eq!(judge(Role::Parse, Attempt::Socket, &Outcome::Kernel(libc::EACCES), &there), Verdict::Wrong);
        assert_eq!(judge(Role::Output, Attempt::Socket, &Outcome::Filter, &there), Verdict::Wrong);
        let report = Report { trials: vec![wrong], paths: there };
        assert!(!report.holds());
        assert!(report.to_string().contains("WRONG     journal: write elsewhere"), "{report}");
        assert!(!Report { trials: Vec::new(), paths: InForce::NotSupported }.holds(), "nothing tried proves nothing");
    }
}
