//! Facts, and what is thought of them.
//!
//! The law of this floor: rules never see octets; facts know no rule; a rule keeps only bounded memory. No clock, no I/O.
//!
//! | room | what |
//! | --- | --- |
//! | [`facts`] | what a rule may look at: events, flows, assets, time |
//! | [`norm`] | what is allowed and usual, compiled |
//! | [`policy`] | what the site file says, checked |
//! | [`site`] | the language of site file and baseline |
//! | [`problem`] | what is wrong in a file, with line and mark |
//! | [`baseline`] | what is usual, as facts and as text |
//! | [`learn`] | events to baseline |
//! | [`rule`] | what a detection is |
//! | [`detections`] | the list of detections |
//! | [`memory`] | a map that forgets its oldest entry |
//! | [`judge`] | every rule over every event |
//! | `suppress` | suppression and repeat counting |
//! | [`alert`] | a finding that is fit to leave the house |
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
