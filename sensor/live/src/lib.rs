//! Interfaces: preparing, listening and judging a mirror port, without ever sending.
//!
//! | room | what |
//! | --- | --- |
//! | [`error`] | why an interface cannot be prepared, opened or read |
//! | [`finding`] | what is said of a port or a mirror |
//! | [`interface`] | what the kernel says of an interface: state, flags, counters |
//! | [`transmitted`] | whether a monitored interface sends |
//! | [`prepare`] | making a port fit for listening, and telling what makes it unfit |
//! | [`capture`] | frames from an interface, through libpcap |
//! | [`class`] | what a frame is worth when not all can be kept |
//! | [`hand_over`] | the bounded way from the capture thread to the dispatcher |
//! | [`listen`] | the capture thread |
//! | [`diagnosis`] | what is wrong with a mirror, judged from its frames |
//! | [`doctor`] | an interface looked at for some seconds |
//!
//! Nothing here sends: libpcap's function for it is not called anywhere, and no other socket is opened.
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

pub mod capture;
pub mod class;
pub mod diagnosis;
pub mod doctor;
pub mod error;
pub mod finding;
#[cfg(test)]
mod generated;
pub mod hand_over;
pub mod interface;
pub mod listen;
mod outline;
pub mod prepare;
mod programs;
pub mod transmitted;

#[cfg(test)]
mod tests {
    /// The sources of everything that is compiled into the crate.
    const SOURCES: [&str; 13] = [
        include_str!("capture.rs"),
        include_str!("class.rs"),
        include_str!("diagnosis.rs"),
        include_str!("doctor.rs"),
        include_str!("error.rs"),
        include_str!("finding.rs"),
        include_str!("hand_over.rs"),
        include_str!("interface.rs"),
        include_str!("listen.rs"),
        include_str!("outline.rs"),
        include_str!("prepare.rs"),
        include_str!("programs.rs"),
        include_str!("transmitted.rs"),
    ];

    #[test]
    fn nothing_here_can_send() {
        for source in SOURCES {
            let source = source.split_once("\n#[cfg(test)]").map_or(source, |(source, _)| source);
            for word in ["sendpacket", "SendQueue", "sendto", "sendmsg", "net::send", "UdpSocket", "TcpStream"] {
                assert!(!source.contains(word), "{word}");
            }
        }
    }
}
