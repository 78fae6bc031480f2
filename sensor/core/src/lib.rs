//! The still heart: frames in, alerts out.
//!
//! The law of this floor: no clock, no I/O, no thread, no randomness. The same frames, policy and baseline give the same
//! alerts, byte for byte.
//!
//! | room | what |
//! | --- | --- |
//! | [`frame`] | what the capture hands over |
//! | [`limits`] | every bound in the house |
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
pub mod counters;
pub mod defrag;
pub mod desk;
pub mod dispatch;
pub mod duplicates;
pub mod flow;
pub mod frame;
pub mod limits;
pub mod shard;
pub mod speech;
pub mod stream;
pub mod trace;
pub mod world;
