//! The list of protocols: `Message`, `AnyDissector`, `identify`.

use crate::dissect::{Direction, Dissected, Dissector, Probe, Protocol, Sender, feed};
use crate::error::ParseError;
use crate::message::{Describe, IdentityClaim, Kind, Operation, Point, Refusal, Tally, Value};

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

        /// A message of any protocol; it borrows its octets.
        #[derive(Debug)]
        pub enum Message<'a> {
            $(#[doc = concat!("Of `", stringify!($name), "`.")]
            $name(<<$path as Protocol>::Dissector as Dissector>::Message<'a>)),+
        }

        impl Describe for Message<'_> {
            fn kind(&self) -> Kind { match self { $(Self::$name(m) => m.kind()),+ } }
            fn operations(&self, visit: &mut dyn FnMut(Operation)) { match self { $(Self::$name(m) => m.operations(visit)),+ } }
            fn pairing(&self) -> Option<u64> { match self { $(Self::$name(m) => m.pairing()),+ } }
            fn refusal(&self) -> Option<Refusal> { match self { $(Self::$name(m) => m.refusal()),+ } }
            fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) { match self { $(Self::$name(m) => m.fields(visit)),+ } }
            fn points(&self, asked: Option<Operation>, visit: &mut dyn FnMut(Point)) { match self { $(Self::$name(m) => m.points(asked, visit)),+ } }
            fn tally(&self, visit: &mut dyn FnMut(Tally)) { match self { $(Self::$name(m) => m.tally(visit)),+ } }
            fn fault(&self) -> Option<ParseError> { match self { $(Self::$name(m) => m.fault()),+ } }
            fn identity(&self, visit: &mut dyn FnMut(IdentityClaim<'_>)) { match self { $(Self::$name(m) => m.identity(visit)),+ } }
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
            /// Reads every whole PDU at the head of `octets`; returns how many octets are used up.
            pub fn feed<'a>(&mut self, direction: Direction, octets: &'a [u8], mut out: impl FnMut(Dissected<'a, Message<'a>>)) -> usize {
                match self {
                    $(Self::$name(d) => feed(d, direction, octets, |dissected| out(match dissected {
                        Dissected::Message { message, octets } => Dissected::Message { message: Message::$name(message), octets },
                        Dissected::Malformed { error, octets } => Dissected::Malformed { error, octets },
                        Dissected::Skipped { octets } => Dissected::Skipped { octets },
                    }))),+
                }
            }
        }

        /// Asks every protocol about the first octets of a segment or datagram. One clear match wins; of several, the one
        /// whose port is `near` wins, then the first of the list.
        pub fn identify(head: &[u8], datagram: bool, near: &[u16]) -> Identified {
            let mut best: Option<(bool, AnyDissector, Sender)> = None;
            let mut unsure = false;
            $(
                match <$path as Protocol>::probe(head, datagram) {
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
}
