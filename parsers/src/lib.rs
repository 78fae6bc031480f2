//! Octets in, meaning out.
//!
//! The law of this floor: no clock, no I/O, no thread, no logging, and no memory beyond one flow. Parsing never fails:
//! it yields messages and anomalies. Octets are looked at through [`reader::Reader`] alone.
//!
//! | room | what |
//! | --- | --- |
//! | [`error`] | what is wrong, in which field, at which octet, against which clause |
//! | [`reader`] | the only way in which the house looks at octets |
//! | [`message`] | what any message can be asked: verb, target, values, fields |
//! | [`dissect`] | the contract between a protocol and the core, and the one loop over PDUs |
//! | [`packet`] | link, tunnel, network and transport headers of one frame |
//! | [`discovery`] | names that devices tell of themselves: DHCP, LLDP, NBNS |
//! | [`protocols`] | the list of industrial protocols, and one folder for each |
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

pub mod discovery;
pub mod dissect;
pub mod error;
pub mod message;
pub mod packet;
pub mod protocols;
pub mod reader;
