//! The system call filter of a thread: built from the list of its role, applied for good, and open to questions.

mod calls;
mod program;
#[cfg(test)]
mod tests;

use std::os::fd::{AsRawFd, BorrowedFd};

use seccompiler::{SeccompAction, SeccompFilter, TargetArch, sock_filter};

pub use program::Answer;

use crate::{Error, Role};

/// Which open descriptors a filter treats in a special way. A filter sees numbers, not files: a descriptor named here
/// must stay open, or its number may come to mean something else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptors<'a> {
    /// What [`Role::Capture`] and [`Role::Parse`] may write to beside standard output and error: a pipe to the
    /// watchdog, say. Other roles take no notice.
    pub writable: &'a [BorrowedFd<'a>],
    /// What [`Role::Journal`] must not write to nor duplicate: the capture sockets, since an octet string *written* to
    /// one is a frame sent. Other roles take no notice: two may write to nothing anyway, and the others live in
    /// processes without such a socket.
    pub capture_sockets: &'a [BorrowedFd<'a>],
}

/// What becomes of a call outside of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// In earnest: `EPERM`, and the end of the process for calls that only an intruder makes.
    Earnest,
    /// In the self-test: [`MARK`], an error that the kernel itself gives for none of the calls, so that it is seen who
    /// refused.
    Marked,
}

/// The error of a refusal in the self-test: `EHWPOISON`, which no call tried there can have.
pub(crate) const MARK: i32 = libc::EHWPOISON;

/// The number before that of `clone3`, on every processor. Above it calls do not exist, unless the list goes beyond.
const NEWEST_UNLESS_LISTED: u32 = 434;

/// A filter, ready to be applied by any number of threads.
#[derive(Clone, Debug)]
pub struct Filter {
    role: Role,
    program: Vec<sock_filter>,
    calls: usize,
}

impl Filter {
    /// Makes the filter of a role, to be applied by threads of this process.
    ///
    /// # Errors
    /// [`Error::Processor`] on other processors than x86-64 and 64-bit Arm, and [`Error::Filter`] for a fault of ours.
    pub fn new(role: Role, descriptors: &Descriptors<'_>) -> Result<Self, Error> {
        Self::with(role, descriptors, Denial::Earnest)
    }

    pub(crate) fn with(role: Role, descriptors: &Descriptors<'_>, denial: Denial) -> Result<Self, Error> {
        let processor = std::env::consts::ARCH;
        let target = TargetArch::try_from(processor).map_err(|_| Error::Processor(processor))?;
        let fault = |reason: String| Error::Filter { role, reason };
        let list = calls::list(role, &numbers(descriptors.writable), &numbers(descriptors.capture_sockets))
            .map_err(|error| fault(error.to_string()))?;
        let calls = list.len();
        let newest = list.keys().next_back().and_then(|&last| u32::try_from(last).ok()).unwrap_or(0);
        let newest = newest.max(NEWEST_UNLESS_LISTED);
        let refusal = u32::try_from(if denial == Denial::Marked { MARK } else { libc::EPERM }).unwrap_or(1);
        let deadly = if denial == Denial::Earnest && role != Role::Supervisor { calls::DEADLY } else { &[] };
        let body = SeccompFilter::new(list, SeccompAction::Errno(refusal), SeccompAction::Allow, target)
            .and_then(Vec::<sock_filter>::try_from)
            .map_err(|error| fault(error.to_string()))?;
        let mut program = program::prologue(deadly, newest).map_err(fault)?;
        program.extend(body);
        Ok(Self { role, program, calls })
    }

    /// Puts the calling thread, and all threads and processes that it starts from now on, under the filter. It cannot
    /// be taken off. Sets `no_new_privs`.
    ///
    /// # Errors
    /// [`Error::Refused`]: the kernel has no filters, or is itself kept from it by an outer sandbox.
    pub fn apply(&self) -> Result<(), Error> {
        seccompiler::apply_filter(&self.program)
            .map_err(|error| Error::Refused { role: self.role, reason: error.to_string() })
    }

    /// Whose filter it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// How many different system calls the filter lets through, be it with certain arguments only.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// What the filter answers to a call: the program is worked out here as the kernel does it, and nothing is called.
    #[must_use]
    pub fn answer(&self, number: i64, arguments: [u64; 6]) -> Answer {
        program::answer(&self.program, number, arguments)
    }
}

fn numbers(descriptors: &[BorrowedFd<'_>]) -> Vec<u64> {
    descriptors.iter().filter_map(|descriptor| u64::try_from(descriptor.as_raw_fd()).ok()).collect()
}

/// Whether the calling thread is under a filter: what the kernel says of it. For a health record; `None` where it does
/// not say.
#[must_use]
pub fn in_force() -> Option<bool> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"))?.trim();
    Some(mode == "2")
}
