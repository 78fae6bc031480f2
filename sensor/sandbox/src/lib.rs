//! What the processes of the sensor may do, and a test that they may do no more.
//!
//! A sensor reads what attackers send. Should one of its parsers be turned against it in spite of everything, then what
//! it got hold of must be worth little. This crate takes away, in this order:
//!
//! 1. [`privileges`]: user, capabilities, core dumps, descriptors, processes. Per process, before any thread is started
//!    (the kernel keeps user and capabilities for each thread; new threads inherit them).
//! 2. [`paths`]: Landlock, if the kernel has it: what may be read and written, and that no TCP port is opened. The same
//!    rule: before the threads.
//! 3. [`seccomp`]: which system calls a thread may make at all, by its [`Role`]. Last, by each thread for itself, and
//!    by the main thread too: threads share their memory, so the weakest filter of a process is what it is worth.
//!
//! [`selftest`] tries what must not be possible, in every role, and says what came of it. [`watchdog`] finds the thread
//! that no longer moves, and [`notify`] tells systemd.
//!
//! What may be done by whom:
//!
//! | | capture | parse | journal | output | supervisor |
//! | --- | --- | --- | --- | --- | --- |
//! | memory, time, locks | yes | yes | yes | yes | yes |
//! | make memory executable | no | no | no | only by loading a library | yes |
//! | read what is open | yes | yes | yes | yes | yes |
//! | write to what is open | standard output and error, what is named | the same | all but the capture sockets | yes | yes |
//! | open, rename, remove files | no | no | yes (where: Landlock) | yes (where: Landlock) | yes |
//! | receive from an open socket | yes | no | no | yes | yes |
//! | make a socket | no | no | no | Internet, Unix, routing | those, and for packets |
//! | send | no | no | no | yes | yes |
//! | start a thread | no | no | no | yes | yes |
//! | start a process or program | no | no | no | no | yes |
//! | trace, mount, load, reboot | no | no | no | no | no |
//!
//! # Refused or killed
//!
//! A call outside of the list is *refused* with `EPERM`, not punished: libraries try many things benignly and live
//! without them, a new version of a library tries new things, and a sensor that dies of its own caution is blind. Calls
//! that no library makes by chance and that only somebody who already runs code of his own makes (to run a program, to
//! trace, to mount, to load code into the kernel) *kill the process*: that intruder would see `EPERM` as a puzzle and
//! go on, unseen and inside. A process killed by `SIGSYS` is noticed by its parent, is told, and is started anew with a
//! clean memory. Refusals are not counted by the kernel; whoever gets one sees an ordinary error.
//!
//! Calls newer than every call of the list do not exist (`ENOSYS`), so that a newer C library falls back to the older
//! call, as it would on an older kernel; among them `clone3`, whose flags a filter cannot see.

#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::iter_over_hash_type)]
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::print_stderr,
        reason = "a test may fail loudly, and says why it was skipped"
    )
)]

use std::fmt;

pub mod notify;
pub mod paths;
pub mod privileges;
pub mod seccomp;
pub mod selftest;
pub mod watchdog;

/// What a thread is there for, and with it what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes frames from an interface that is already open, and can do nothing else with it.
    Capture,
    /// Routes, parses and judges: memory, locks and the clock.
    Parse,
    /// Appends to the journal: files, and no socket. Also for the main thread of the sensor process, which reads the
    /// configuration anew.
    Journal,
    /// Carries records out: the journal's files, and sockets of every kind but those for packets.
    Output,
    /// Starts the two processes and waits for them. What it may not do, its children may never do.
    Supervisor,
}

impl Role {
    /// All roles, in the order of the table above.
    pub const ALL: [Self; 5] = [Self::Capture, Self::Parse, Self::Journal, Self::Output, Self::Supervisor];
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Capture => "capture",
            Self::Parse => "parse",
            Self::Journal => "journal",
            Self::Output => "output",
            Self::Supervisor => "supervisor",
        })
    }
}

/// Why a containment is not in force. None of these may be passed over in silence: whoever starts the sensor decides
/// whether it runs without.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no list of system calls for this processor.
    #[error("no system call filter is known for the processor {0}")]
    Processor(&'static str),
    /// The filter could not be made: a fault of this crate.
    #[error("the system call filter of the role {role} cannot be made: {reason}")]
    Filter {
        /// Whose filter.
        role: Role,
        /// What the compiler of filters says.
        reason: String,
    },
    /// The kernel did not take the filter.
    #[error("the kernel refuses the system call filter of the role {role}: {reason}")]
    Refused {
        /// Whose filter.
        role: Role,
        /// What the kernel says.
        reason: String,
    },
    /// Landlock is there, but did not take the rules.
    #[error("Landlock: {0}")]
    Landlock(String),
    /// A privilege could not be given up.
    #[error("cannot {step}: {source}")]
    Privilege {
        /// What was tried.
        step: &'static str,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// Capabilities are left though all were given up.
    #[error("capabilities are left after all were given up: {0}")]
    Left(String),
}
