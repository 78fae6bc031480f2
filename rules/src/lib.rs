//! Facts, and what is thought of them.
//!
//! The law of this floor: rules never see octets; facts know no rule; a rule keeps only bounded memory. No clock, no I/O.
//!
//! | room | what |
//! | --- | --- |
//! | [`facts`] | what a rule may look at: events, flows, assets, time |
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
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
        reason = "a test may fail loudly"
    )
)]

pub mod alert;
pub mod baseline;
pub mod detections;
pub mod facts;
pub mod judge;
pub mod learn;
pub mod memory;
pub mod norm;
pub mod policy;
pub mod problem;
pub mod rule;
pub mod site;
mod suppress;
