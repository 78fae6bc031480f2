//! Second opinions: what two public stacks read in the same octets. They are ends of a conversation, we are bystanders.

use crate::listen::{Ear, Heard, value};
use crate::table::Figure;
use iec104::apdu::{Apdu, Frame};
use iec104::types::{InformationObjects, quality_descriptors::Qds, time::Cp56Time2a};
use rmodbus::client::ModbusRequest;
use rmodbus::server::{ModbusFrame, Write};
use rmodbus::{ModbusProto, consts::ModbusFunction};
use yagura_parsers::message::{Describe, Kind, Operation, Point, Quality, Verb};
use yagura_parsers::protocols::iec104::{Message as Ours, elements};
use yagura_parsers::protocols::modbus::message::{Body, Envelope, Message as Adu};

/// What came of asking.
#[derive(Default)]
pub(crate) struct Opinions {
    /// IEC 104: information objects, whose values were compared; Modbus: messages.
    pub(crate) compared: usize,
    /// PDUs that the other stack refuses, with its reason.
    pub(crate) refused: Vec<String>,
    pub(crate) wrong: Vec<String>,
    /// Codes of what was compared.
    pub(crate) codes: std::collections::BTreeSet<u8>,
}

/// An information object as the other stack reads it: address, value, quality, ms since 1970 of its time.
type Object = (u32, Figure, Quality, Option<u64>);

impl Ear for Opinions {
    fn iec104(&mut self, heard: &Heard<'_>, message: &Ours<'_>) {
        let Some(asdu) = &message.asdu else { return };
        let theirs = match Apdu::from_bytes(heard.octets) {
            Ok(Apdu { frame: Frame::I(frame), .. }) => frame.asdu,
            other => {
                self.refused.push(format!("frame {}: type {}: {other:?}", heard.frame, asdu.type_id.0));
                return;
            }
        };
        let identifier_of_theirs = (
            theirs.type_id as u8,
            theirs.cot as u8,
            theirs.negative,
            theirs.test,
            theirs.sequence,
            Some(theirs.originator_address),
            theirs.address_field,
        );
        let identifier_of_ours = (
            asdu.type_id.0,
            asdu.cause.0,
            asdu.negative,
            asdu.test,
            asdu.is_sequence,
            asdu.originator_address,
            asdu.common_address,
        );
        if identifier_of_theirs != identifier_of_ours {
            self.wrong
                .push(format!("frame {}: they read {identifier_of_theirs:?}, we {identifier_of_ours:?}", heard.frame));
        }
        let Some(theirs) = objects(&theirs.information_objects) else { return };
        let ours: Vec<Object> = asdu
            .objects()
            .filter_map(|object| {
                let element = elements::read(asdu.type_id, object.element)?;
                Some((object.address, value(element.value), element.quality, element.time))
            })
            .collect();
        self.compared += theirs.len();
        self.codes.insert(asdu.type_id.0);
        if theirs != ours {
            self.wrong.push(format!("frame {}: they read {theirs:?}, we {ours:?}", heard.frame));
        }
    }

    fn modbus(&mut self, heard: &Heard<'_>, message: &Adu<'_>) {
        let Envelope::Tcp { transaction_identifier, .. } = message.envelope else { return };
        let code = message.function_code.0;
        if !matches!(code, 1..=6 | 15 | 16) || message.fault.is_some() {
            return;
        }
        if message.kind == Kind::Request {
            self.request(heard, message);
        } else if let Some(asked) = heard.asked {
            self.response(heard, message, transaction_identifier, asked);
        }
    }
}

impl Opinions {
    fn request(&mut self, heard: &Heard<'_>, message: &Adu<'_>) {
        let code = message.function_code.0;
        let mut answer: Vec<u8> = Vec::new();
        // Nobody is a broadcast here: every request is read.
        let mut frame = ModbusFrame::new(message.unit_identifier, heard.octets, ModbusProto::TcpUdp, &mut answer)
            .with_broadcast_units(&[]);
        if let Err(error) = frame.parse() {
            self.refused.push(format!("frame {}: function {code}: {error:?}", heard.frame));
            return;
        }
        let mut asked = None;
        message.operations(&mut |operation| asked = asked.or(operation.target));
        let ours = asked.map(|target| (code, target.first, target.count));
        let theirs = Some((frame.func.byte(), u32::from(frame.reg), u32::from(frame.count)));
        let mut values_of_ours: Vec<Point> = Vec::new();
        message.points(None, &mut |point| values_of_ours.push(point));
        let ours_told: Vec<Figure> = values_of_ours.iter().map(|point| value(point.value)).collect();
        let theirs_told = if frame.readonly {
            Vec::new()
        } else {
            match frame.get_external_write() {
                Ok(Write::Bits(bits)) => bits_of(bits.data, usize::from(bits.count)),
                Ok(Write::Words(words)) => {
                    let words = words.data.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
                    words.map(|word| Figure::Whole(word.into())).collect()
                }
                Err(error) => vec![Figure::Text(format!("{error:?}"))],
            }
        };
        self.hold(heard, code, (theirs, theirs_told), (ours, ours_told));
    }

    fn response(&mut self, heard: &Heard<'_>, message: &Adu<'_>, transaction: u16, asked: Operation) {
        let code = message.function_code.0;
        let Some(target) = asked.target.filter(|_| asked.verb == Verb::Read) else { return };
        if !matches!(message.body, Body::Bits { .. } | Body::Registers { .. }) {
            return;
        }
        let (first, count) = (u16::try_from(target.first), u16::try_from(target.count));
        let (Ok(first), Ok(count)) = (first, count) else { return };
        // The other stack reads only answers to what it has asked itself.
        let mut request = ModbusRequest::new_tcp_udp(message.unit_identifier, transaction);
        let mut sent: Vec<u8> = Vec::new();
        let asked = match ModbusFunction::try_from(code) {
            Ok(ModbusFunction::GetCoils) => request.generate_get_coils(first, count, &mut sent),
            Ok(ModbusFunction::GetDiscretes) => request.generate_get_discretes(first, count, &mut sent),
            Ok(ModbusFunction::GetHoldings) => request.generate_get_holdings(first, count, &mut sent),
            Ok(ModbusFunction::GetInputs) => request.generate_get_inputs(first, count, &mut sent),
            _ => return,
        };
        let read = asked.and_then(|()| {
            if matches!(code, 1 | 2) {
                let mut bits: Vec<bool> = Vec::new();
                request.parse_bool(heard.octets, &mut bits)?;
                Ok(bits.into_iter().map(|bit| Figure::Whole(bit.into())).collect::<Vec<_>>())
            } else {
                let mut words: Vec<u16> = Vec::new();
                request.parse_u16(heard.octets, &mut words)?;
                Ok(words.into_iter().map(|word| Figure::Whole(word.into())).collect())
            }
        });
        let theirs = match read {
            Ok(values) => values,
            Err(error) => {
                self.refused.push(format!("frame {}: response {code}: {error:?}", heard.frame));
                return;
            }
        };
        let mut ours = Vec::new();
        message.points(heard.asked, &mut |point| ours.push(value(point.value)));
        self.hold(heard, code, theirs, ours);
    }

    fn hold<T: PartialEq + std::fmt::Debug>(&mut self, heard: &Heard<'_>, code: u8, theirs: T, ours: T) {
        self.compared += 1;
        self.codes.insert(code);
        if theirs != ours {
            self.wrong.push(format!("frame {}: they read {theirs:?}, we {ours:?}", heard.frame));
        }
    }
}

/// Packed bits, the least significant of the first octet first.
fn bits_of(octets: &[u8], count: usize) -> Vec<Figure> {
    let bits = octets.iter().flat_map(|octet| (0..8).map(move |bit| octet >> bit & 1));
    bits.take(count).map(|bit| Figure::Whole(bit.into())).collect()
}

fn whole(number: impl Into<i128>) -> Figure {
    Figure::Whole(number.into())
}

fn normalized(number: i16) -> Figure {
    Figure::Real(f64::from(number) / 32_768.0)
}

fn quality(bits: &[(bool, Quality)]) -> Quality {
    let set = bits.iter().filter(|(is_set, _)| *is_set);
    set.fold(Quality(0), |quality, (_, said)| quality.and(*said))
}

fn common(invalid: bool, not_topical: bool, substituted: bool, blocked: bool) -> Quality {
    quality(&[
        (invalid, Quality::INVALID),
        (not_topical, Quality::NOT_TOPICAL),
        (substituted, Quality::SUBSTITUTED),
        (blocked, Quality::BLOCKED),
    ])
}

fn measured(qds: &Qds) -> Quality {
    common(qds.iv, qds.nt, qds.sb, qds.bl).and(quality(&[(qds.ov, Quality::OVERFLOW)]))
}

/// A time as ms since 1970 of the device's clock; the other stack has its parts only.
fn milliseconds(time: &Cp56Time2a) -> Option<u64> {
    let is_leap = |year: u64| year.is_multiple_of(4);
    let days_of = |year: u64, month: u8| match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31_u64,
    };
    if time.iv || time.month == 0 || time.day == 0 {
        return None;
    }
    let year = u64::from(time.year);
    let years: u64 = (0..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: u64 = (1..time.month).map(|month| days_of(year, month)).sum();
    let days = 10_957 + years + months + u64::from(time.day) - 1;
    Some(((days * 24 + u64::from(time.hour)) * 60 + u64::from(time.min)) * 60_000 + u64::from(time.ms))
}

/// The objects of the types that it reads with a value; `None` of others.
fn objects(all: &InformationObjects) -> Option<Vec<Object>> {
    use InformationObjects as All;
    /// Objects of one type, with value, quality and time of each.
    macro_rules! each {
        ($objects:expr, $object:ident => $value:expr, $quality:expr, $time:expr) => {
            $objects
                .iter()
                .map(|one| {
                    let $object = &one.object;
                    (one.address, $value, $quality, $time)
                })
                .collect()
        };
    }
    macro_rules! point {
        ($objects:expr, $octet:ident, $state:ident $(, $time:ident)?) => {
            each!($objects, o => whole(o.$octet.$state as u8),
                common(o.$octet.iv, o.$octet.nt, o.$octet.sb, o.$octet.bl), time!(o $(, $time)?))
        };
    }
    macro_rules! time {
        ($object:ident) => {
            None
        };
        ($object:ident, $time:ident) => {
            milliseconds(&$object.$time)
        };
    }
    macro_rules! measured {
        ($objects:expr, $object:ident => $value:expr $(, $time:ident)?) => {
            each!($objects, $object => $value, measured(&$object.qds), time!($object $(, $time)?))
        };
    }
    macro_rules! command {
        ($objects:expr, $object:ident => $value:expr $(, $time:ident)?) => {
            each!($objects, $object => $value, Quality(0), time!($object $(, $time)?))
        };
    }
    macro_rules! counter {
        ($objects:expr $(, $time:ident)?) => {
            each!($objects, o => whole(o.bcr),
                quality(&[(o.sqd.iv, Quality::INVALID), (o.sqd.ca, Quality::REFERENCE)]), time!(o $(, $time)?))
        };
    }
    macro_rules! step {
        ($objects:expr $(, $time:ident)?) => {
            each!($objects, o => whole(o.vti.value), measured(&o.vti.qds), time!(o $(, $time)?))
        };
    }
    Some(match all {
        All::MSpNa1(objects) => point!(objects, siq, spi),
        All::MSpTb1(objects) => point!(objects, siq, spi, time),
        All::MDpNa1(objects) => point!(objects, diq, dpi),
        All::MDpTb1(objects) => point!(objects, diq, dpi, time),
        All::MStNa1(objects) => step!(objects),
        All::MStTb1(objects) => step!(objects, time),
        All::MBoNa1(objects) => measured!(objects, o => whole(o.bsi)),
        All::MBoTb1(objects) => measured!(objects, o => whole(o.bsi), time),
        All::MMeNa1(objects) => measured!(objects, o => normalized(o.nva)),
        All::MMeTd1(objects) => measured!(objects, o => normalized(o.nva), time),
        All::MMeNb1(objects) => measured!(objects, o => whole(o.sva)),
        All::MMeTe1(objects) => measured!(objects, o => whole(o.sva), time),
        All::MMeNc1(objects) => measured!(objects, o => Figure::Real(o.value.into())),
        All::MMeTf1(objects) => measured!(objects, o => Figure::Real(o.value.into()), time),
        All::MMeNd1(objects) => command!(objects, o => normalized(o.nva)),
        All::MItNa1(objects) => counter!(objects),
        All::MItTb1(objects) => counter!(objects, time),
        All::CScNa1(objects) => command!(objects, o => whole(o.sco.scs as u8)),
        All::CScTa1(objects) => command!(objects, o => whole(o.sco.scs as u8), time),
        All::CdcNa1(objects) => command!(objects, o => whole(o.dco.dcs as u8)),
        All::CdcTa1(objects) => command!(objects, o => whole(o.dco.dcs as u8), time),
        All::CrcNa1(objects) => command!(objects, o => whole(o.rco.rcs as u8)),
        All::CrcTa1(objects) => command!(objects, o => whole(o.rco.rcs as u8), time),
        All::CSeNa1(objects) => command!(objects, o => normalized(o.nva)),
        All::CSeTa1(objects) => command!(objects, o => normalized(o.nva), time),
        All::CSeNb1(objects) => command!(objects, o => whole(o.sva)),
        All::CSeTb1(objects) => command!(objects, o => whole(o.sva), time),
        All::CSeNc1(objects) => command!(objects, o => Figure::Real(o.value.into())),
        All::CSeTc1(objects) => command!(objects, o => Figure::Real(o.value.into()), time),
        All::CBoNa1(objects) => command!(objects, o => whole(o.bsi)),
        All::CBoTa1(objects) => command!(objects, o => whole(o.bsi), time),
        _ => return None,
    })
}
