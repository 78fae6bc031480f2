//! The hands of Yagura: captures in, records out.
//!
//! The law of this floor: it judges nothing and interprets nothing. It moves frames in and records out, and it alone
//! touches the world: files, threads, the terminal.
//!
//! | room | what |
//! | --- | --- |
//! | [`capture`] | opens what the arguments name, and hands over frames |
//! | [`pipeline`] | the core's parts on one hand or many |
//! | [`record`] | the shapes that leave the house; the only place that knows JSON |
//! | [`service`] | the sensor as a service: processes, threads, journal, outputs |
//! | [`commands`] | one file for each command of the program |
//! | [`cli`] | arguments, and which command they name |

pub mod capture;
pub mod cli;
pub mod commands;
pub mod pipeline;
pub mod record;
pub mod service;
