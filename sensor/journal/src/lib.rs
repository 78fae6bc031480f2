//! The append-only, tamper-evident record of what the sensor says.
//!
//! Every alert, disposition, health and audit record becomes a line of one chain before it goes anywhere, and every output
//! is a reader of the chain with a cursor of its own. This crate touches a folder and the system's randomness, nothing else: it
//! has no clock, no thread and no socket.
//!
//! | room | what |
//! | --- | --- |
//! | [`class`] | what a record is, and by what it is counted |
//! | [`hash`] | SHA-256 |
//! | [`mod@line`] | a record in its envelope |
//! | [`settings`] | every bound |
//! | [`storage`] | what is asked of the folder |
//! | [`journal`] | the writer: append, sync, checkpoint |
//! | [`status`] | how it fares, what the disk refuses |
//! | [`recovery`] | opening after a crash |
//! | [`gap`] | the record of what is missing |
//! | [`hold`] | what must not go |
//! | [`key`] | signatures |
//! | [`head`] | how far may be read |
//! | [`cursor`], [`reader`] | reading in order, at least once |
//! | [`query`] | looking up, writing out |
//! | [`verify`] | proving what is genuine |
//!
//! # The shape
//!
//! *One chain in one row of segments*, whatever the class: the order of everything that was said is kept, one sync
//! commits a whole group, and a line is checked with `sha256sum`. Segments are named by the first number that
//! they cover.
//!
//! *Retention by class* would be simpler with one chain for each class, but then order, commit, recovery and cursors are all
//! spread over several files. Instead a closed segment is rewritten without the kinds that go: in their place
//! stand stubs (numbers, counts, the hashes at both ends), and a signed gap record, on the disk before anything
//! goes, has the hash of the segment's stubs. What is left still links, hash by hash; a hole that no signed gap
//! record names is a fault. What goes: checkpoints and health first, then alerts by severity, then dispositions and audit
//! records; of each the oldest first. Gap records never go on their own: they leave with the front of the journal,
//! when nothing before them is left for which they could vouch.
//!
//! *Acknowledged* is what a sync has brought onto the disk. Only then `head` moves, and readers never go beyond it. After
//! a failed sync nobody knows what the disk has; the segment is left where it was acknowledged, and the rest is written to
//! a new one.
//!
//! *While the disk takes nothing* lines wait in bounded memory, of which the last part is kept for grave records; beyond
//! that records are counted, and a gap record has the exact counts once there is room.
//!
//! # What it proves, and what not
//!
//! Whoever lacks the private key cannot change anything before the last checkpoint unseen. Whoever has it can rewrite
//! everything, and even without it the records after the last checkpoint can be cut off or replaced: therefore the hash of
//! the end is to be kept on another machine from time to time, as an anchor.
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::iter_over_hash_type,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "a test may fail loudly"
    )
)]

pub mod class;
pub mod cursor;
pub mod gap;
pub mod hash;
pub mod head;
pub mod hold;
pub mod journal;
pub mod key;
pub mod line;
mod lines;
pub mod query;
pub mod reader;
pub mod recovery;
mod room;
mod segment;
pub mod settings;
pub mod status;
pub mod storage;
pub mod verify;

#[cfg(test)]
mod tests;
