//! The still heart: frames in, alerts out.
//!
//! The law of this floor: no clock, no I/O, no thread, no randomness. The same frames, policy and baseline give the same
//! alerts, byte for byte.
//!
//! | room | what |
//! | --- | --- |
//! | [`frame`] | what the capture hands over |
//! | [`limits`] | every bound in the house |
//! | [`clock`] | time that only frames move |
//! | [`dispatch`] | headers, fragments, mirror copies, ticks, and whose packet it is |
//! | [`defrag`] | IP fragments put together |
//! | [`duplicates`] | second copies that a mirror makes |
//! | [`shard`] | a fixed share of the flows: packets in, events out |
//! | [`flow`] | the life of one conversation, and the table of all |
//! | [`stream`] | TCP segments into order |
//! | [`speech`] | what a flow speaks, its open requests, what is settled |
//! | [`commands`] | commands on their way from select to termination |
//! | [`points`] | what the process is seen to do |
//! | [`draft`] | an event on its way into the one order |
//! | [`desk`] | the events of all shards in one order, and judged |
//! | [`world`] | the devices, and how we know |
//! | [`analyzer`] | the whole core on one thread: it defines what the sensor says |
//! | [`counters`] | what was seen, skipped and lost, and why |
//! | [`trace`] | what became of one frame |
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
        reason = "a test may fail loudly"
    )
)]

pub mod analyzer;
pub mod clock;
pub mod commands;
pub mod counters;
pub mod defrag;
pub mod desk;
pub mod dispatch;
pub mod draft;
pub mod duplicates;
pub mod flow;
pub mod frame;
pub mod limits;
pub mod points;
pub mod shard;
pub mod speech;
pub mod stream;
pub mod trace;
pub mod world;
