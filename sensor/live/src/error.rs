//! `Error`: why an interface cannot be prepared, opened or read, in one line that says what to do.

/// Why an interface cannot be prepared, opened or read. Each prints as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No interface can have such a name: 1 to 15 octets, no space, no slash, no colon (Linux `dev_valid_name`).
    #[error("{name:?} cannot be an interface's name; \"ip link\" lists those of this machine")]
    Name {
        /// The name.
        name: String,
    },
    /// There is no such interface.
    #[error("{interface}: no such interface; this machine has {others}")]
    Missing {
        /// The interface.
        interface: String,
        /// The names of those that there are.
        others: String,
    },
    /// This user may not do it.
    #[error("{interface}: {what} needs {right}; run it as root, or give the program that right")]
    Privilege {
        /// The interface.
        interface: String,
        /// What was to be done.
        what: &'static str,
        /// The capability that it needs.
        right: &'static str,
    },
    /// The interface is administratively down: nothing can be captured from it.
    #[error("{interface}: is switched off; \"ip link set {interface} up\", or let it be prepared")]
    Down {
        /// The interface.
        interface: String,
    },
    /// The filter is not one.
    #[error("the filter {filter:?} is not understood: {reason}; its language is that of pcap-filter(7)")]
    Filter {
        /// The filter.
        filter: String,
        /// What libpcap said.
        reason: String,
    },
    /// libpcap refuses.
    #[error("{interface}: cannot be captured from: {reason}")]
    Capture {
        /// The interface.
        interface: String,
        /// What libpcap said.
        reason: String,
    },
    /// The machine itself is reached through the interface.
    #[error(
        "{interface}: {why}, so preparing it for listening would cut this machine off; name the port that is \
         cabled to the mirror"
    )]
    Needed {
        /// The interface.
        interface: String,
        /// What it is needed for.
        why: String,
    },
    /// A file of the kernel cannot be read.
    #[error("{path}: cannot be read: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A program that does the work cannot do it.
    #[error("{program}: {reason}")]
    Program {
        /// The program.
        program: &'static str,
        /// Why.
        reason: String,
    },
}
