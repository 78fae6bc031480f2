//! The list of protocols: `ProtocolId`, `AnyDissector`, `identify`.

use crate::dissect::{Direction, Dissected, Dissector, Hints, Listener, Probe, Protocol, Sender, feed};
use crate::message::Tally;

pub mod dnp3;
pub mod iec104;
pub mod modbus;

/// Makes the enums of all protocols, with every delegation; one line a protocol.
macro_rules! protocols {
    ($($name:ident => $path:path),+ $(,)?) => {
        /// A protocol of the list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProtocolId {
            $(#[doc = concat!("`", stringify!($name), "`.")] $name),+
        }

        impl ProtocolId {
            /// Every protocol, in the list's order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in policies and records.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => <$path as Protocol>::NAME),+ }
            }
            /// The standard's title and edition.
            pub fn standard(self) -> &'static str {
                match self { $(Self::$name => <$path as Protocol>::STANDARD),+ }
            }
            /// Where it is usual.
            pub fn ports(self) -> &'static [u16] {
                match self { $(Self::$name => <$path as Protocol>::PORTS),+ }
            }
            /// Names of the tables of its statistics.
            pub fn tables(self) -> &'static [&'static str] {
                match self { $(Self::$name => <$path as Protocol>::TABLES),+ }
            }
            /// The key of a counter.
            pub fn tally_key(self, tally: Tally) -> String {
                match self { $(Self::$name => <$path as Protocol>::tally_key(tally)),+ }
            }
            /// The standard's name of an operation.
            pub fn operation_name(self, code: u16, sub: u16) -> Option<&'static str> {
                match self { $(Self::$name => <$path as Protocol>::operation_name(code, sub)),+ }
            }
        }

        /// One protocol's memory of one flow, whichever protocol it is.
        pub enum AnyDissector {
            $(#[doc = concat!("Of `", stringify!($name), "`.")]
            $name(<$path as Protocol>::Dissector)),+
        }

        impl AnyDissector {
            /// Which protocol it reads.
            pub fn id(&self) -> ProtocolId {
                match self { $(Self::$name(_) => ProtocolId::$name),+ }
            }
            /// The dialect that is spoken.
            pub fn dialect(&self) -> &'static str {
                match self { $(Self::$name(d) => d.dialect()),+ }
            }
            /// Octets were lost.
            pub fn gap(&mut self, direction: Direction) {
                match self { $(Self::$name(d) => d.gap(direction)),+ }
            }
            /// Octets of the flow that it keeps.
            #[inline]
            pub fn held(&self) -> usize {
                match self { $(Self::$name(d) => d.held()),+ }
            }
            /// There is no room for what it keeps.
            pub fn forget(&mut self) {
                match self { $(Self::$name(d) => d.forget()),+ }
            }
            /// The flow's ends were taken for each other so far.
            pub fn turn(&mut self) {
                match self { $(Self::$name(d) => d.turn()),+ }
            }
            /// Reads every whole PDU at the head of `octets`; returns how many octets are used up.
            #[inline]
            pub fn feed(
                &mut self,
                direction: Direction,
                time_ns: u64,
                octets: &[u8],
                listener: &mut impl Listener,
            ) -> usize {
                match self {
                    $(Self::$name(d) => feed(d, direction, time_ns, octets, |dissected| match dissected {
                        Dissected::Message { message, octets } => listener.message(&message, octets),
                        Dissected::Malformed { error, octets } => listener.malformed(error, octets),
                        Dissected::Skipped { octets } => listener.skipped(octets),
                    })),+
                }
            }
        }

        /// Asks every protocol about the first octets of a segment or datagram. One clear match wins; of several, the one
        /// whose port is `near` wins, then the first of the list.
        pub fn identify(head: &[u8], datagram: bool, near: &[u16], hints: &Hints) -> Identified {
            let mut best: Option<(bool, AnyDissector, Sender)> = None;
            let mut unsure = false;
            $(
                match <$path as Protocol>::probe(head, datagram, hints) {
                    (Probe::Match(sender), dissector) => {
                        let at_home = <$path as Protocol>::PORTS.iter().any(|port| near.contains(port));
                        if best.as_ref().is_none_or(|(home, ..)| at_home && !home) {
                            best = Some((at_home, AnyDissector::$name(dissector), sender));
                        }
                    }
                    (Probe::Unsure, _) => unsure = true,
                    (Probe::NoMatch, _) => {}
                }
            )+
            match best {
                Some((_, dissector, sender)) => Identified::As(dissector, sender),
                None if unsure => Identified::Unsure,
                None => Identified::Unknown,
            }
        }
    };
}

/// What [`identify`] found.
pub enum Identified {
    /// A protocol, and who must have sent the octets.
    As(AnyDissector, Sender),
    /// More octets are needed.
    Unsure,
    /// None of the list.
    Unknown,
}

protocols! {
    Modbus => modbus::Modbus,
    Dnp3 => dnp3::Dnp3,
    Iec104 => iec104::Iec104,
}
