//! Requests and responses, field by field.

use crate::error::{Clause, ErrorKind, ParseError};
use crate::message::{
    Describe, IdentityClaim, Kind, Operation, Packing, Point, PointValue, Reason, Refusal, Run, Tally, Target, Value,
    Verb,
};
use crate::reader::Reader;

use super::adu::{HEADER, LENGTH_FRAMED, LENGTH_LEAST, LENGTH_MOST, UNCOUNTED};
use super::codes::{self, ExceptionCode, FunctionCode, mei_type, umas_status};
use super::rtu;

/// Most coils or discrete inputs that one request reads (V1.1b3 6.1, 6.2).
pub const MOST_BITS_READ: u16 = 2000;
/// Most registers that one request reads (V1.1b3 6.3, 6.4, 6.17).
pub const MOST_REGISTERS_READ: u16 = 125;
/// Most coils that one request writes (V1.1b3 6.11).
pub const MOST_BITS_WRITTEN: u16 = 1968;
/// Most registers that one request writes (V1.1b3 6.12).
pub const MOST_REGISTERS_WRITTEN: u16 = 123;
/// Most registers that one request writes beside a read (V1.1b3 6.17).
pub const MOST_REGISTERS_WRITTEN_BESIDE_READ: u16 = 121;
/// Most registers in a FIFO queue's response (V1.1b3 6.18).
pub const MOST_FIFO_REGISTERS: u16 = 31;
/// Most octets of events in a communication event log (V1.1b3 6.10).
pub const MOST_EVENTS: u8 = 64;
/// The only reference type of file records (V1.1b3 6.14).
pub const REFERENCE_TYPE: u8 = 6;
/// The highest record number in a file (V1.1b3 6.14).
pub const HIGHEST_RECORD: u16 = 0x270F;

const COIL_ON: u16 = 0xFF00;
const COIL_OFF: u16 = 0x0000;

const MBAP: Clause = Clause("Messaging V1.0b 3.1.3");

/// What surrounds a PDU, beside the unit identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// The MBAP header.
    Tcp {
        /// Equal in a request and its response.
        transaction_identifier: u16,
        /// 0 for Modbus.
        protocol_identifier: u16,
        /// Octets of unit identifier and PDU.
        length: u16,
    },
    /// A serial frame.
    Rtu {
        /// CRC-16/Modbus as it stands on the wire.
        crc: u16,
    },
}

/// A PDU after its function code. Lists stay as the wire has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Nothing more: requests 7, 11, 12, 17.
    Nothing,
    /// Requests 1 to 4; responses 15, 16.
    Range {
        /// The first address.
        starting_address: u16,
        /// How many coils, inputs or registers.
        quantity: u16,
    },
    /// Responses 1 and 2.
    Bits {
        /// Octets of status.
        byte_count: u8,
        /// Packed bits.
        status: &'a [u8],
    },
    /// Responses 3, 4 and 23.
    Registers {
        /// Octets of values.
        byte_count: u8,
        /// Register values.
        values: &'a [u8],
    },
    /// Requests and responses 5 and 6.
    Single {
        /// The address of the coil or register.
        address: u16,
        /// What is written there; 0xFF00 and 0x0000 for a coil.
        value: u16,
    },
    /// Response 7.
    ExceptionStatus {
        /// Eight exception status outputs.
        output_data: u8,
    },
    /// Requests and responses 8.
    Diagnostics {
        /// Which test.
        sub_function: u16,
        /// What it takes or gives.
        data: &'a [u8],
    },
    /// Response 11.
    EventCounter {
        /// 0xFFFF while a program command is still being processed.
        status: u16,
        /// Messages completed.
        event_count: u16,
    },
    /// Response 12.
    EventLog {
        /// Octets that follow.
        byte_count: u8,
        /// As in response 11.
        status: u16,
        /// As in response 11.
        event_count: u16,
        /// Messages processed.
        message_count: u16,
        /// Event octets, the latest first.
        events: &'a [u8],
    },
    /// Requests 15 and 16.
    Multiple {
        /// The first address.
        starting_address: u16,
        /// How many coils or registers.
        quantity: u16,
        /// Octets of values.
        byte_count: u8,
        /// Packed bits or register values.
        values: &'a [u8],
    },
    /// Response 17.
    ServerId {
        /// Octets that follow.
        byte_count: u8,
        /// Server identifier, run indicator status, additional data: the device decides on lengths.
        data: &'a [u8],
    },
    /// Request 20: sub-requests of 7 octets.
    ReadFile {
        /// Octets of sub-requests.
        byte_count: u8,
        /// The sub-requests.
        sub_requests: &'a [u8],
    },
    /// Response 20: sub-responses with their lengths.
    FileData {
        /// Octets of sub-responses.
        data_length: u8,
        /// The sub-responses.
        sub_responses: &'a [u8],
    },
    /// Request and response 21: sub-requests with their record data.
    WriteFile {
        /// Octets of sub-requests.
        data_length: u8,
        /// The sub-requests.
        sub_requests: &'a [u8],
    },
    /// Request and response 22.
    MaskWrite {
        /// The register.
        reference_address: u16,
        /// Bits that stay as they are.
        and_mask: u16,
        /// Bits that are set where the mask above has none.
        or_mask: u16,
    },
    /// Request 23.
    ReadWrite {
        /// The first address that is read.
        read_starting_address: u16,
        /// How many registers are read.
        quantity_to_read: u16,
        /// The first address that is written.
        write_starting_address: u16,
        /// How many registers are written.
        quantity_to_write: u16,
        /// Octets of values.
        write_byte_count: u8,
        /// Register values.
        values: &'a [u8],
    },
    /// Request 24.
    FifoPointer {
        /// The register that holds the queue's count.
        fifo_pointer_address: u16,
    },
    /// Response 24.
    Fifo {
        /// Octets that follow.
        byte_count: u16,
        /// Registers in the queue.
        fifo_count: u16,
        /// Register values.
        values: &'a [u8],
    },
    /// Requests and responses 43 of any MEI type but 14.
    EncapsulatedInterface {
        /// What is encapsulated.
        mei_type: u8,
        /// Its octets.
        data: &'a [u8],
    },
    /// Request 43/14.
    ReadDeviceId {
        /// 1 basic, 2 regular, 3 extended, 4 one object.
        read_device_id_code: u8,
        /// The first object asked for.
        object_id: u8,
    },
    /// Response 43/14.
    DeviceId {
        /// As in the request.
        read_device_id_code: u8,
        /// What the device can be asked: 1 to 3, and 0x80 where single objects can be.
        conformity_level: u8,
        /// 0xFF where another request is needed for the rest.
        more_follows: u8,
        /// The object to ask for then.
        next_object_id: u8,
        /// Objects in this response.
        number_of_objects: u8,
        /// Object identifier, length and value of each.
        objects: &'a [u8],
    },
    /// Request 90.
    UmasRequest {
        /// The session, or 0.
        session: u8,
        /// UMAS's own function code.
        code: u8,
        /// What it takes.
        data: &'a [u8],
    },
    /// Response 90.
    UmasResponse {
        /// The session, or 0.
        session: u8,
        /// 0xFE for success, 0xFD for failure.
        status: u8,
        /// What it gives.
        data: &'a [u8],
    },
    /// A response with the exception bit.
    Exception {
        /// Why the request was refused.
        exception_code: ExceptionCode,
    },
    /// A function whose structure the standard does not tell, and what ends before its fixed fields do.
    Opaque {
        /// All that follows the function code.
        data: &'a [u8],
    },
}

/// One PDU with its envelope. Every count and address is that of the PDU: 0-based, never a data model's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// What surrounds the PDU.
    pub envelope: Envelope,
    /// The device behind the endpoint; over TCP 0 and 255 stand for the endpoint itself.
    pub unit_identifier: u8,
    /// The function code with its exception bit.
    pub function_code: FunctionCode,
    /// Request or response.
    pub kind: Kind,
    /// The rest of the PDU.
    pub body: Body<'a>,
    /// The first thing that breaks the standard; the offset counts from the start of the envelope.
    pub fault: Option<ParseError>,
}

/// As what octets read without a breach of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) request: bool,
    pub(super) response: bool,
}

/// A reader that remembers where the last field began, and the first breach.
struct Fields<'a> {
    reader: Reader<'a>,
    /// Octets before the field that was read last.
    before: usize,
    function_code: FunctionCode,
    /// What it is held against, where that is not the clause of its function.
    clause: Option<Clause>,
    fault: Option<ParseError>,
}

impl<'a> Fields<'a> {
    #[inline]
    fn u8(&mut self, field: &'static str) -> Result<u8, ParseError> {
        self.before = self.reader.offset();
        self.reader.u8(field)
    }

    #[inline]
    fn u16(&mut self, field: &'static str) -> Result<u16, ParseError> {
        self.before = self.reader.offset();
        self.reader.u16_be(field)
    }

    /// What it is held against.
    fn clause(&self) -> Clause {
        self.clause.unwrap_or_else(|| codes::clause(self.function_code.code()))
    }

    /// What is wrong with the field that was read last.
    #[cold]
    fn breach(&self, kind: ErrorKind, field: &'static str) -> ParseError {
        ParseError { kind, field, offset: small(self.before), clause: self.clause() }
    }

    /// What the field that was read last must hold.
    #[inline]
    fn hold(&mut self, holds: bool, got: impl Into<u64>, field: &'static str) {
        if !holds && self.fault.is_none() {
            self.fault = Some(self.breach(ErrorKind::Forbidden { got: got.into() }, field));
        }
    }

    /// That the field that was read last counts the octets that follow.
    #[inline]
    fn hold_length(&mut self, claimed: usize, field: &'static str) {
        let actual = self.reader.remaining();
        if claimed != actual && self.fault.is_none() {
            let kind = ErrorKind::LengthMismatch { claimed: small(claimed), actual: small(actual) };
            self.fault = Some(self.breach(kind, field));
        }
    }

    /// The list that fills the rest, as long as the field that was read last says. Where that is wrong, what is there.
    #[inline]
    fn list(&mut self, claimed: usize, field: &'static str) -> &'a [u8] {
        self.hold_length(claimed, field);
        let rest = self.reader.rest();
        rest.get(..claimed).unwrap_or(rest)
    }

    /// A quantity of items from an address on: within its bounds, and no address above 65535.
    #[inline]
    fn quantity(&mut self, address: u16, most: u16, field: &'static str) -> Result<u16, ParseError> {
        let quantity = self.u16(field)?;
        let end = u32::from(address).saturating_add(u32::from(quantity));
        self.hold((1..=most).contains(&quantity) && end <= 0x1_0000, quantity, field);
        Ok(quantity)
    }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl<'a> Message<'a> {
    /// Reads an ADU with its MBAP header. What is wrong with it beyond its first 8 octets is its `fault`.
    ///
    /// # Errors
    /// Fewer than 8 octets: not even a function code.
    #[inline]
    pub fn read_tcp(kind: Kind, adu: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(adu);
        let Some([a, b, c, d, e, f, unit_identifier]) = reader.take(HEADER, "mbap_header")?.first_chunk::<HEADER>()
        else {
            return Err(reader.error(ErrorKind::Truncated { need: small(HEADER), have: 0 }, "mbap_header", MBAP));
        };
        let transaction_identifier = u16::from_be_bytes([*a, *b]);
        let protocol_identifier = u16::from_be_bytes([*c, *d]);
        let length = u16::from_be_bytes([*e, *f]);
        let counted = adu.len().saturating_sub(UNCOUNTED);
        // UMAS agrees on longer PDUs with its device.
        let umas = reader.peek_rest().first() == Some(&FunctionCode::UMAS);
        let most = if umas { LENGTH_FRAMED } else { LENGTH_MOST };
        let breach = |kind, field, offset| Some(ParseError { kind, field, offset, clause: MBAP });
        let fault = if protocol_identifier != 0 {
            breach(ErrorKind::Forbidden { got: protocol_identifier.into() }, "protocol_identifier", 2)
        } else if usize::from(length) != counted {
            let kind = ErrorKind::LengthMismatch { claimed: length.into(), actual: small(counted) };
            breach(kind, "length", 4)
        } else if !(LENGTH_LEAST..=most).contains(&length) {
            breach(ErrorKind::Forbidden { got: length.into() }, "length", 4)
        } else {
            None
        };
        let unit_identifier = *unit_identifier;
        let envelope = Envelope::Tcp { transaction_identifier, protocol_identifier, length };
        Self::read_pdu(kind, envelope, unit_identifier, reader, fault)
    }

    /// Reads an RTU frame with its CRC. What is wrong with it beyond its length is its `fault`.
    ///
    /// # Errors
    /// Fewer than 4 octets: unit identifier, function code and CRC.
    pub fn read_rtu(kind: Kind, frame: &'a [u8]) -> Result<Self, ParseError> {
        let Some((octets, [low, high])) = frame.split_last_chunk::<2>().filter(|(octets, _)| octets.len() >= 2) else {
            return Err(Reader::new(frame).take(rtu::SHORTEST, "frame").err().unwrap_or(ParseError {
                kind: ErrorKind::Truncated { need: small(rtu::SHORTEST), have: small(frame.len()) },
                field: "frame",
                offset: 0,
                clause: Clause("Serial Line V1.02 2.5.1"),
            }));
        };
        let crc = u16::from_le_bytes([*low, *high]);
        let expected = rtu::crc(octets);
        let fault = (crc != expected).then(|| ParseError {
            kind: ErrorKind::Checksum { got: crc.into(), expected: expected.into() },
            field: "crc",
            offset: small(octets.len()),
            clause: Clause("Serial Line V1.02 2.5.1.2"),
        });
        let mut reader = Reader::new(octets);
        let unit_identifier = reader.u8("unit_identifier")?;
        Self::read_pdu(kind, Envelope::Rtu { crc }, unit_identifier, reader, fault)
    }

    #[inline]
    fn read_pdu(
        kind: Kind,
        envelope: Envelope,
        unit_identifier: u8,
        mut reader: Reader<'a>,
        fault: Option<ParseError>,
    ) -> Result<Self, ParseError> {
        let before = reader.offset();
        let function_code = FunctionCode(reader.u8("function_code")?);
        let mut fields = Fields { reader, before, function_code, clause: None, fault };
        let data = fields.reader;
        let read = if kind == Kind::Request {
            read_request(function_code, &mut fields)
        } else {
            read_response(function_code, &mut fields)
        };
        let body = match read {
            Ok(body) => {
                if fields.fault.is_none() && fields.reader.remaining() > 0 {
                    fields.fault = fields.reader.end("data", fields.clause()).err();
                }
                body
            }
            Err(error) => {
                fields.fault.get_or_insert(error);
                Body::Opaque { data: data.peek_rest() }
            }
        };
        Ok(Self { envelope, unit_identifier, function_code, kind, body, fault: fields.fault })
    }

    /// As what an ADU reads without a breach, its function being one whose structure is known.
    pub(super) fn fit_tcp(adu: &[u8]) -> Fit {
        let fits =
            |kind| Message::read_tcp(kind, adu).is_ok_and(|message| message.fault.is_none() && message.is_known());
        Fit { request: fits(Kind::Request), response: fits(Kind::Response) }
    }

    /// As [`Self::fit_tcp`], or with an octet or two too many behind a PDU that is particular enough without them: some
    /// devices and testers pad exceptions and identification requests.
    pub(super) fn fit_tcp_padded(adu: &[u8]) -> Fit {
        let fits = |kind| {
            Message::read_tcp(kind, adu).is_ok_and(|message| {
                let padded = matches!(message.fault, Some(ParseError { kind: ErrorKind::Trailing { len: ..=2 }, .. }))
                    && matches!(message.body, Body::Exception { .. } | Body::ReadDeviceId { .. });
                // Some clients send their own name along when they ask for the server's.
                let named = kind == Kind::Request
                    && message.function_code == FunctionCode(17)
                    && matches!(message.fault, Some(ParseError { kind: ErrorKind::Trailing { .. }, .. }));
                let padded = padded || named;
                (message.fault.is_none() || padded) && message.is_known()
            })
        };
        Fit { request: fits(Kind::Request), response: fits(Kind::Response) }
    }

    /// As what an RTU frame reads without a breach, its function being one whose structure is known.
    pub(super) fn fit_rtu(frame: &[u8]) -> Fit {
        let fits =
            |kind| Message::read_rtu(kind, frame).is_ok_and(|message| message.fault.is_none() && message.is_known());
        Fit { request: fits(Kind::Request), response: fits(Kind::Response) }
    }

    /// Whether an ADU is right as far as can be told, and its function has a name, but no structure that could be held
    /// against it.
    pub(super) fn is_named_only(adu: &[u8]) -> bool {
        Message::read_tcp(Kind::Request, adu).is_ok_and(|message| {
            let opaque = matches!(
                message.body,
                Body::Opaque { .. }
                    | Body::EncapsulatedInterface { .. }
                    | Body::Diagnostics { .. }
                    | Body::UmasRequest { .. }
            );
            opaque && message.fault.is_none() && message.function_code.name().is_some()
        })
    }

    /// Whether the codes of the message are ones whose structure is known.
    fn is_known(&self) -> bool {
        match self.body {
            Body::Opaque { .. } | Body::EncapsulatedInterface { .. } => false,
            Body::Diagnostics { sub_function, .. } => codes::is_member(FunctionCode::DIAGNOSTICS, sub_function),
            Body::UmasRequest { code, .. } => codes::is_member(FunctionCode::UMAS, code.into()),
            Body::UmasResponse { status, .. } => matches!(status, umas_status::SUCCESS | umas_status::FAILURE),
            Body::Exception { exception_code } => exception_code.name().is_some(),
            _ => true,
        }
    }

    /// The diagnostic sub-function, MEI type or UMAS code; 0 for other functions, and where it can't be told.
    #[must_use]
    #[inline]
    pub fn sub_code(&self) -> u16 {
        match self.body {
            Body::Diagnostics { sub_function, .. } => sub_function,
            Body::EncapsulatedInterface { mei_type, .. } => mei_type.into(),
            Body::ReadDeviceId { .. } | Body::DeviceId { .. } => mei_type::READ_DEVICE_IDENTIFICATION.into(),
            Body::UmasRequest { code, .. } => code.into(),
            // A PDU that ends too soon still begins with its sub-code.
            Body::Opaque { data } => match self.function_code.0 {
                FunctionCode::DIAGNOSTICS => data.first_chunk().map_or(0, |sub| u16::from_be_bytes(*sub)),
                FunctionCode::ENCAPSULATED_INTERFACE_TRANSPORT => data.first().map_or(0, |sub| u16::from(*sub)),
                _ => 0,
            },
            _ => 0,
        }
    }

    #[inline]
    fn verb(&self) -> Verb {
        match self.kind {
            Kind::Request if self.function_code.is_exception() => Verb::Other,
            // A UMAS response does not say what it answers.
            Kind::Response | Kind::Unsolicited if self.function_code.code() == FunctionCode::UMAS => Verb::Other,
            _ => codes::verb(self.function_code.code(), self.sub_code()),
        }
    }

    #[inline]
    fn operation(&self, target: Option<Target>) -> Operation {
        Operation {
            verb: self.verb(),
            code: self.function_code.code().into(),
            sub: self.sub_code(),
            unit: self.unit_identifier.into(),
            target,
        }
    }

    /// The data space of the function, where it has one.
    #[must_use]
    #[inline]
    pub fn space(&self) -> Option<&'static str> {
        match self.function_code.0 {
            1 | 5 | 15 => Some("coil"),
            2 => Some("discrete_input"),
            3 | 6 | 16 | 22 | 23 => Some("holding_register"),
            4 => Some("input_register"),
            20 | 21 => Some("file_record"),
            24 => Some("fifo_queue"),
            _ => None,
        }
    }

    #[inline]
    fn target(&self, first: u16, count: u16) -> Option<Target> {
        self.space().map(|space| Target { space, first: first.into(), count: u32::from(count).max(1) })
    }

    /// The sub-requests of 20 and 21 that are whole.
    fn file_references(&self) -> FileReferences<'a> {
        match self.body {
            Body::ReadFile { sub_requests, .. } => FileReferences { rest: sub_requests, with_data: false },
            Body::WriteFile { sub_requests, .. } => FileReferences { rest: sub_requests, with_data: true },
            _ => FileReferences { rest: &[], with_data: false },
        }
    }
}

fn read_request<'a>(function_code: FunctionCode, fields: &mut Fields<'a>) -> Result<Body<'a>, ParseError> {
    Ok(match function_code.0 {
        code @ 1..=4 => {
            let starting_address = fields.u16("starting_address")?;
            let most = if code <= 2 { MOST_BITS_READ } else { MOST_REGISTERS_READ };
            let quantity = fields.quantity(starting_address, most, quantity_name(code))?;
            Body::Range { starting_address, quantity }
        }
        code @ (5 | 6) => read_single(code, fields)?,
        7 | 11 | 12 | 17 => Body::Nothing,
        FunctionCode::DIAGNOSTICS => read_diagnostics(true, fields)?,
        code @ (15 | 16) => {
            let starting_address = fields.u16("starting_address")?;
            let (most, name) = (most_written(code), quantity_name(code));
            let quantity = fields.quantity(starting_address, most, name)?;
            let byte_count = fields.u8("byte_count")?;
            let octets = if code == 15 { quantity.div_ceil(8) } else { quantity.saturating_mul(2) };
            fields.hold(u16::from(byte_count) == octets, byte_count, "byte_count");
            let values = fields.list(byte_count.into(), "byte_count");
            Body::Multiple { starting_address, quantity, byte_count, values }
        }
        20 => {
            let byte_count = fields.u8("byte_count")?;
            fields.hold((7..=0xF5).contains(&byte_count) && byte_count.is_multiple_of(7), byte_count, "byte_count");
            fields.hold_length(byte_count.into(), "byte_count");
            let sub_requests = check_file_references(fields, false)?;
            Body::ReadFile { byte_count, sub_requests }
        }
        21 => read_write_file(fields)?,
        22 => read_mask_write(fields)?,
        23 => {
            let read_starting_address = fields.u16("read_starting_address")?;
            let quantity_to_read = fields.quantity(read_starting_address, MOST_REGISTERS_READ, "quantity_to_read")?;
            let write_starting_address = fields.u16("write_starting_address")?;
            let most = MOST_REGISTERS_WRITTEN_BESIDE_READ;
            let quantity_to_write = fields.quantity(write_starting_address, most, "quantity_to_write")?;
            let write_byte_count = fields.u8("write_byte_count")?;
            let right = u16::from(write_byte_count) == quantity_to_write.saturating_mul(2);
            fields.hold(right, write_byte_count, "write_byte_count");
            let values = fields.list(write_byte_count.into(), "write_byte_count");
            Body::ReadWrite {
                read_starting_address,
                quantity_to_read,
                write_starting_address,
                quantity_to_write,
                write_byte_count,
                values,
            }
        }
        24 => Body::FifoPointer { fifo_pointer_address: fields.u16("fifo_pointer_address")? },
        FunctionCode::ENCAPSULATED_INTERFACE_TRANSPORT => match fields.u8("mei_type")? {
            mei_type::READ_DEVICE_IDENTIFICATION => {
                fields.clause = Some(Clause("V1.1b3 6.21"));
                let read_device_id_code = read_device_id_code(fields)?;
                Body::ReadDeviceId { read_device_id_code, object_id: fields.u8("object_id")? }
            }
            mei_type => Body::EncapsulatedInterface { mei_type, data: fields.reader.rest() },
        },
        FunctionCode::UMAS => {
            let session = fields.u8("session")?;
            let code = fields.u8("umas_function_code")?;
            Body::UmasRequest { session, code, data: fields.reader.rest() }
        }
        code => {
            // 0 is not valid, and the upper half is reserved for exception responses.
            fields.clause = Some(Clause("V1.1b3 4.1"));
            fields.hold((1..0x80).contains(&code), code, "function_code");
            Body::Opaque { data: fields.reader.rest() }
        }
    })
}

fn read_response<'a>(function_code: FunctionCode, fields: &mut Fields<'a>) -> Result<Body<'a>, ParseError> {
    Ok(match function_code.0 {
        1 | 2 => {
            let byte_count = fields.u8("byte_count")?;
            fields.hold((1..=250).contains(&byte_count), byte_count, "byte_count");
            Body::Bits { byte_count, status: fields.list(byte_count.into(), "byte_count") }
        }
        3 | 4 | 23 => {
            let byte_count = fields.u8("byte_count")?;
            fields.hold((2..=250).contains(&byte_count) && byte_count.is_multiple_of(2), byte_count, "byte_count");
            Body::Registers { byte_count, values: fields.list(byte_count.into(), "byte_count") }
        }
        code @ (5 | 6) => read_single(code, fields)?,
        7 => Body::ExceptionStatus { output_data: fields.u8("output_data")? },
        FunctionCode::DIAGNOSTICS => read_diagnostics(false, fields)?,
        11 => {
            let status = read_status(fields)?;
            Body::EventCounter { status, event_count: fields.u16("event_count")? }
        }
        12 => {
            let byte_count = fields.u8("byte_count")?;
            let least = 6_u8;
            let right = (least..=least.saturating_add(MOST_EVENTS)).contains(&byte_count);
            fields.hold(right, byte_count, "byte_count");
            fields.hold_length(byte_count.into(), "byte_count");
            let status = read_status(fields)?;
            let event_count = fields.u16("event_count")?;
            let message_count = fields.u16("message_count")?;
            Body::EventLog { byte_count, status, event_count, message_count, events: fields.reader.rest() }
        }
        code @ (15 | 16) => {
            let starting_address = fields.u16("starting_address")?;
            let quantity = fields.quantity(starting_address, most_written(code), quantity_name(code))?;
            Body::Range { starting_address, quantity }
        }
        17 => {
            let byte_count = fields.u8("byte_count")?;
            Body::ServerId { byte_count, data: fields.list(byte_count.into(), "byte_count") }
        }
        20 => {
            let data_length = fields.u8("resp_data_length")?;
            fields.hold(data_length <= 0xF5, data_length, "resp_data_length");
            fields.hold_length(data_length.into(), "resp_data_length");
            let sub_responses = fields.reader.peek_rest();
            // Every turn uses up at least one octet.
            while fields.reader.remaining() > 0 {
                let length = fields.u8("file_resp_length")?;
                // The reference type and whole registers.
                fields.hold(!length.is_multiple_of(2), length, "file_resp_length");
                let before = fields.reader.offset();
                let mut sub = Reader::new(fields.reader.take(length.into(), "record_data")?);
                if let Ok(reference_type) = sub.u8("reference_type") {
                    fields.before = before;
                    fields.hold(reference_type == REFERENCE_TYPE, reference_type, "reference_type");
                }
            }
            Body::FileData { data_length, sub_responses }
        }
        21 => read_write_file(fields)?,
        22 => read_mask_write(fields)?,
        24 => {
            let byte_count = fields.u16("byte_count")?;
            fields.hold_length(byte_count.into(), "byte_count");
            let fifo_count = fields.u16("fifo_count")?;
            let octets = fifo_count.saturating_mul(2);
            let right = fifo_count <= MOST_FIFO_REGISTERS && octets.saturating_add(2) == byte_count;
            fields.hold(right, fifo_count, "fifo_count");
            Body::Fifo { byte_count, fifo_count, values: fields.list(octets.into(), "fifo_count") }
        }
        FunctionCode::ENCAPSULATED_INTERFACE_TRANSPORT => match fields.u8("mei_type")? {
            mei_type::READ_DEVICE_IDENTIFICATION => {
                fields.clause = Some(Clause("V1.1b3 6.21"));
                read_device_id(fields)?
            }
            mei_type => Body::EncapsulatedInterface { mei_type, data: fields.reader.rest() },
        },
        FunctionCode::UMAS => {
            let session = fields.u8("session")?;
            let status = fields.u8("umas_status")?;
            Body::UmasResponse { session, status, data: fields.reader.rest() }
        }
        0 => {
            fields.clause = Some(Clause("V1.1b3 4.1"));
            fields.hold(false, 0_u8, "function_code");
            Body::Opaque { data: fields.reader.rest() }
        }
        FunctionCode::EXCEPTION_BIT.. => {
            fields.clause = Some(Clause("V1.1b3 7"));
            Body::Exception { exception_code: ExceptionCode(fields.u8("exception_code")?) }
        }
        _ => Body::Opaque { data: fields.reader.rest() },
    })
}

fn quantity_name(code: u8) -> &'static str {
    match code {
        1 => "quantity_of_coils",
        2 => "quantity_of_inputs",
        4 => "quantity_of_input_registers",
        15 => "quantity_of_outputs",
        _ => "quantity_of_registers",
    }
}

fn most_written(code: u8) -> u16 {
    if code == 15 { MOST_BITS_WRITTEN } else { MOST_REGISTERS_WRITTEN }
}

fn read_single<'a>(code: u8, fields: &mut Fields<'a>) -> Result<Body<'a>, ParseError> {
    if code == 5 {
        let address = fields.u16("output_address")?;
        let value = fields.u16("output_value")?;
        fields.hold(matches!(value, COIL_OFF | COIL_ON), value, "output_value");
        Ok(Body::Single { address, value })
    } else {
        Ok(Body::Single { address: fields.u16("register_address")?, value: fields.u16("register_value")? })
    }
}

fn read_diagnostics<'a>(request: bool, fields: &mut Fields<'a>) -> Result<Body<'a>, ParseError> {
    let sub_function = fields.u16("sub_function")?;
    fields.before = fields.reader.offset();
    let data = fields.reader.rest();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let word = data.first_chunk().filter(|_| data.len() == 2).map(|word| u16::from_be_bytes(*word));
    let right = match (sub_function, word) {
        // Any data, looped back, in whole words; so are the reserved sub-functions.
        (0, _) => length.is_multiple_of(2),
        (1, word) => matches!(word, Some(COIL_OFF | COIL_ON)),
        // A character, and 0.
        (3, word) => word.is_some_and(|word| word.to_be_bytes().ends_with(&[0])),
        (4 | 10 | 20, word) => word == Some(0),
        (2 | 11..=18, word) if request => word == Some(0),
        (2 | 11..=18, word) => word.is_some(),
        _ => true,
    };
    match word {
        Some(word) => fields.hold(right, word, "data"),
        None if !right && fields.fault.is_none() => {
            let kind = ErrorKind::LengthMismatch { claimed: 2, actual: length };
            fields.fault = Some(fields.breach(kind, "data"));
        }
        None => {}
    }
    Ok(Body::Diagnostics { sub_function, data })
}

fn read_status(fields: &mut Fields<'_>) -> Result<u16, ParseError> {
    let status = fields.u16("status")?;
    fields.hold(matches!(status, 0 | 0xFFFF), status, "status");
    Ok(status)
}

fn read_mask_write<'a>(fields: &mut Fields<'a>) -> Result<Body<'a>, ParseError> {
    Ok(Body::MaskWrite {
        reference_address: fields.u16("reference_address")?,
        and_mask: fields.u16("and_mask")?,
        or_mask: fields.u16("or_mask")?,
    })
}

fn read_write_file<'a>(fields: &mut Fields<'a>) -> Result<Body<'a>, ParseError> {
    let data_length = fields.u8("request_data_length")?;
    fields.hold((9..=0xFB).contains(&data_length), data_length, "request_data_length");
    fields.hold_length(data_length.into(), "request_data_length");
    let sub_requests = check_file_references(fields, true)?;
    Ok(Body::WriteFile { data_length, sub_requests })
}

/// Reads the sub-requests of 20 or 21 to the end, only to see whether they are right.
fn check_file_references<'a>(fields: &mut Fields<'a>, with_data: bool) -> Result<&'a [u8], ParseError> {
    let sub_requests = fields.reader.peek_rest();
    // Every turn uses up at least one octet.
    while fields.reader.remaining() > 0 {
        match check_file_reference(fields, with_data) {
            Ok(()) => {}
            // The whole sub-requests before it stay readable.
            Err(error) => {
                fields.fault.get_or_insert(error);
                fields.reader.rest();
            }
        }
    }
    Ok(sub_requests)
}

fn check_file_reference(fields: &mut Fields<'_>, with_data: bool) -> Result<(), ParseError> {
    let reference_type = fields.u8("reference_type")?;
    fields.hold(reference_type == REFERENCE_TYPE, reference_type, "reference_type");
    let file_number = fields.u16("file_number")?;
    fields.hold(file_number != 0, file_number, "file_number");
    let record_number = fields.u16("record_number")?;
    fields.hold(record_number <= HIGHEST_RECORD, record_number, "record_number");
    let record_length = fields.u16("record_length")?;
    if with_data {
        fields.reader.take(usize::from(record_length).saturating_mul(2), "record_data")?;
    }
    Ok(())
}

fn read_device_id_code(fields: &mut Fields<'_>) -> Result<u8, ParseError> {
    let code = fields.u8("read_device_id_code")?;
    fields.hold((1..=4).contains(&code), code, "read_device_id_code");
    Ok(code)
}

fn read_device_id<'a>(fields: &mut Fields<'a>) -> Result<Body<'a>, ParseError> {
    let read_device_id_code = read_device_id_code(fields)?;
    let conformity_level = fields.u8("conformity_level")?;
    fields.hold(matches!(conformity_level, 1..=3 | 0x81..=0x83), conformity_level, "conformity_level");
    let more_follows = fields.u8("more_follows")?;
    fields.hold(matches!(more_follows, 0 | 0xFF), more_follows, "more_follows");
    let next_object_id = fields.u8("next_object_id")?;
    fields.hold(more_follows != 0 || next_object_id == 0, next_object_id, "next_object_id");
    let number_of_objects = fields.u8("number_of_objects")?;
    let objects = fields.reader.peek_rest();
    for _ in 0..number_of_objects {
        let object = fields.u8("object_id").and_then(|_| fields.u8("object_length"));
        match object.and_then(|length| fields.reader.take(length.into(), "object_value")) {
            Ok(_) => {}
            Err(error) => {
                // The whole objects before it stay readable.
                fields.fault.get_or_insert(error);
                fields.reader.rest();
                break;
            }
        }
    }
    Ok(Body::DeviceId {
        read_device_id_code,
        conformity_level,
        more_follows,
        next_object_id,
        number_of_objects,
        objects,
    })
}

/// One sub-request of 20 or 21.
struct FileReference<'a> {
    reference_type: u8,
    file_number: u16,
    record_number: u16,
    record_length: u16,
    record_data: &'a [u8],
}

/// The whole sub-requests at the head of a list.
struct FileReferences<'a> {
    rest: &'a [u8],
    with_data: bool,
}

impl<'a> Iterator for FileReferences<'a> {
    type Item = FileReference<'a>;

    fn next(&mut self) -> Option<FileReference<'a>> {
        let mut reader = Reader::new(self.rest);
        let reference_type = reader.u8("reference_type").ok()?;
        let file_number = reader.u16_be("file_number").ok()?;
        let record_number = reader.u16_be("record_number").ok()?;
        let record_length = reader.u16_be("record_length").ok()?;
        let octets = if self.with_data { usize::from(record_length).saturating_mul(2) } else { 0 };
        // A record that is cut short is still a record that was to be written.
        let record_data = reader.take(octets, "record_data").unwrap_or_else(|_| reader.rest());
        self.rest = reader.peek_rest();
        Some(FileReference { reference_type, file_number, record_number, record_length, record_data })
    }
}

/// Identifier and value of the whole objects in a list of 43/14.
struct DeviceObjects<'a> {
    rest: Reader<'a>,
    left: u8,
}

impl<'a> Iterator for DeviceObjects<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        self.left = self.left.checked_sub(1)?;
        let object_id = self.rest.u8("object_id").ok()?;
        let length = self.rest.u8("object_length").ok()?;
        let value = self.rest.take(length.into(), "object_value").ok()?;
        Some((object_id, value))
    }
}

fn name_or_null(name: Option<&'static str>) -> Value<'static> {
    name.map_or(Value::Null, Value::Name)
}

fn bit_count(octets: &[u8]) -> u32 {
    small(octets.len()).saturating_mul(8)
}

impl Describe for Message<'_> {
    #[inline]
    fn kind(&self) -> Kind {
        self.kind
    }

    #[inline]
    fn unit(&self) -> u16 {
        self.unit_identifier.into()
    }

    /// One call; two for request 23 (read, then write), and one for each sub-request of 20 and 21. A file write is
    /// `Transfer`, so that it counts as dangerous. A fault hides nothing that was read before it.
    #[inline]
    fn operations(&self, visit: &mut impl FnMut(Operation)) {
        let target = match self.body {
            // It does not name the function that it answers: its request does.
            Body::UmasResponse { .. } => return,
            Body::Range { starting_address, quantity } | Body::Multiple { starting_address, quantity, .. } => {
                self.target(starting_address, quantity)
            }
            Body::Single { address, .. } => self.target(address, 1),
            Body::MaskWrite { reference_address, .. } => self.target(reference_address, 1),
            Body::FifoPointer { fifo_pointer_address } => self.target(fifo_pointer_address, 1),
            Body::ReadWrite {
                read_starting_address,
                quantity_to_read,
                write_starting_address,
                quantity_to_write,
                ..
            } => {
                let read = self.target(read_starting_address, quantity_to_read);
                visit(Operation { verb: Verb::Read, ..self.operation(read) });
                self.target(write_starting_address, quantity_to_write)
            }
            Body::ReadFile { .. } | Body::WriteFile { .. } => {
                let mut any = false;
                for reference in self.file_references() {
                    any = true;
                    visit(self.operation(self.target(reference.file_number, reference.record_length)));
                }
                if any {
                    return;
                }
                None
            }
            // Response 23 gives what was read, and says nothing of what was written.
            Body::Registers { .. } => {
                visit(Operation { verb: Verb::Read, ..self.operation(None) });
                return;
            }
            // Too short for its fields: the address may be there.
            Body::Opaque { data } if self.fault.is_some() && matches!(self.function_code.0, 1..=6 | 15 | 16 | 22) => {
                let may_tell = self.kind == Kind::Request || !matches!(self.function_code.0, 1..=4);
                data.first_chunk().filter(|_| may_tell).and_then(|first| self.target(u16::from_be_bytes(*first), 1))
            }
            Body::Opaque { data } if self.kind == Kind::Request && self.function_code.0 == 23 => {
                let address = |octets: Option<&[u8]>| {
                    octets.and_then(|octets| octets.first_chunk()).map(|first| u16::from_be_bytes(*first))
                };
                let read = address(data.get(..2)).and_then(|first| self.target(first, 1));
                visit(Operation { verb: Verb::Read, ..self.operation(read) });
                address(data.get(4..6)).and_then(|first| self.target(first, 1))
            }
            _ => None,
        };
        visit(self.operation(target));
    }

    /// Transaction identifier, unit identifier and function code over TCP; unit identifier and function code in RTU
    /// frames, where a broadcast is never answered (Serial Line V1.02 2.1).
    #[inline]
    fn pairing(&self) -> Option<u64> {
        let [unit, code] = [self.unit_identifier, self.function_code.code()];
        match self.envelope {
            Envelope::Tcp { transaction_identifier, .. } => {
                let [high, low] = transaction_identifier.to_be_bytes();
                Some(u64::from_be_bytes([0, 0, 0, high, low, 0, unit, code]))
            }
            Envelope::Rtu { .. } if unit == 0 => None,
            Envelope::Rtu { .. } => Some(u64::from_be_bytes([0x80, 0, 0, 0, 0, 0, unit, code])),
        }
    }

    #[inline]
    fn refusal(&self) -> Option<Refusal> {
        match self.body {
            Body::Exception { exception_code } => Some(Refusal {
                code: exception_code.0.into(),
                name: exception_code.name(),
                reason: exception_code.reason(),
            }),
            Body::UmasResponse { status: status @ umas_status::FAILURE, .. } => {
                Some(Refusal { code: status.into(), name: Some("umas_failure"), reason: Reason::Other })
            }
            _ => None,
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let number = |n: u16| Value::Unsigned(n.into());
        let octet = |n: u8| Value::Unsigned(n.into());
        if let Envelope::Tcp { transaction_identifier, protocol_identifier, length } = self.envelope {
            visit("transaction_identifier", number(transaction_identifier));
            visit("protocol_identifier", number(protocol_identifier));
            visit("length", number(length));
        }
        visit("unit_identifier", octet(self.unit_identifier));
        visit("function_code", octet(self.function_code.0));
        visit("function", name_or_null(self.function_code.name()));
        self.body_fields(visit);
        if let Envelope::Rtu { crc } = self.envelope {
            visit("crc", number(crc));
        }
    }

    #[inline]
    fn points(&self, asked: Option<Operation>, visit: &mut dyn FnMut(Point)) {
        match self.body {
            Body::Single { address, value } => {
                let (None, Kind::Request, Some(space)) = (self.fault, self.kind, self.space()) else { return };
                let value = match self.function_code.0 {
                    5 => PointValue::Bit(value == COIL_ON),
                    _ => PointValue::Unsigned(value.into()),
                };
                visit(Point::bare(space, address.into(), value));
            }
            Body::Multiple { .. } | Body::ReadWrite { .. } | Body::Bits { .. } | Body::Registers { .. } => {
                if let Some(run) = self.run(asked) {
                    run.points(visit);
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn run(&self, asked: Option<Operation>) -> Option<Run<'_>> {
        let answered = || self.asked_target(asked).map(|target| (target.first, target.count));
        let (first, count, packing, octets) = match (self.kind, self.body) {
            _ if self.fault.is_some() => return None,
            (Kind::Request, Body::Multiple { starting_address, quantity, values, .. }) => {
                let packing = if self.function_code.0 == 15 { Packing::Bits } else { Packing::Words };
                (starting_address.into(), quantity.into(), packing, values)
            }
            (Kind::Request, Body::ReadWrite { write_starting_address, quantity_to_write, values, .. }) => {
                (write_starting_address.into(), quantity_to_write.into(), Packing::Words, values)
            }
            (Kind::Response, Body::Bits { status, .. }) => {
                let (first, count) = answered()?;
                (first, count, Packing::Bits, status)
            }
            (Kind::Response, Body::Registers { values, .. }) => {
                let (first, count) = answered()?;
                (first, count, Packing::Words, values)
            }
            _ => return None,
        };
        let needed = match packing {
            Packing::Bits => count.div_ceil(8),
            Packing::Words => count.checked_mul(2)?,
        };
        // There is no address beyond 65535, whatever a request asks for.
        let count = count.min(0x1_0000_u32.saturating_sub(first));
        (small(octets.len()) == needed).then_some(Run { space: self.space()?, first, count, packing, octets })
    }

    /// Exceptions count among the responses of their function, and once more by themselves.
    #[inline]
    fn tally(&self, visit: &mut impl FnMut(Tally)) {
        let code = self.function_code.code();
        visit(Tally { table: u8::from(self.kind != Kind::Request), code, sub: None });
        if let Body::Exception { exception_code } = self.body {
            visit(Tally { table: 2, code, sub: Some(exception_code.0) });
        }
    }

    #[inline]
    fn fault(&self) -> Option<ParseError> {
        self.fault
    }

    fn identity(&self, visit: &mut dyn FnMut(IdentityClaim<'_>)) {
        match self.body {
            _ if self.fault.is_some() => {}
            Body::DeviceId { number_of_objects, objects, .. } => {
                for (object_id, text) in (DeviceObjects { rest: Reader::new(objects), left: number_of_objects }) {
                    let key = match object_id {
                        0 => "vendor",
                        1 => "product",
                        2 => "revision",
                        3 => "vendor_url",
                        4 => "product_name",
                        5 => "model_name",
                        6 => "user_application_name",
                        _ => continue,
                    };
                    visit(IdentityClaim { key, text });
                }
            }
            Body::ServerId { data, .. } if !data.is_empty() => {
                // The standard leaves the identifier's length to the device. Most have one octet, then the run
                // indicator (0x00 or 0xFF), then a text; where it does not look like that, all of it is the claim.
                let text = match data {
                    [_, 0x00 | 0xFF, text @ ..] if !text.is_empty() => text,
                    _ => data,
                };
                visit(IdentityClaim { key: "server_id", text });
            }
            _ => {}
        }
    }
}

impl Message<'_> {
    /// What a read asked for, where this answers it.
    fn asked_target(&self, asked: Option<Operation>) -> Option<Target> {
        let asked = asked.filter(|asked| asked.verb == Verb::Read && asked.code == u16::from(self.function_code.0))?;
        asked.target.filter(|target| Some(target.space) == self.space())
    }

    fn body_fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let number = |n: u16| Value::Unsigned(n.into());
        let octet = |n: u8| Value::Unsigned(n.into());
        let code = self.function_code.0;
        match self.body {
            Body::Nothing => {}
            Body::Range { starting_address, quantity } => {
                visit("starting_address", number(starting_address));
                visit(quantity_name(code), number(quantity));
            }
            Body::Bits { byte_count, status } => {
                visit("byte_count", octet(byte_count));
                let name = if code == 1 { "coil_status" } else { "input_status" };
                visit(name, Value::Bits(status, bit_count(status)));
            }
            Body::Registers { byte_count, values } => {
                visit("byte_count", octet(byte_count));
                let name = match code {
                    3 => "register_value",
                    4 => "input_registers",
                    _ => "read_registers_value",
                };
                visit(name, Value::Words(values));
            }
            Body::Single { address, value } if code == 5 => {
                visit("output_address", number(address));
                visit(
                    "output_value",
                    match value {
                        COIL_ON => Value::Bool(true),
                        COIL_OFF => Value::Bool(false),
                        other => number(other),
                    },
                );
            }
            Body::Single { address, value } => {
                visit("register_address", number(address));
                visit("register_value", number(value));
            }
            Body::ExceptionStatus { output_data } => visit("output_data", Value::Bits(&[output_data], 8)),
            Body::Diagnostics { sub_function, data } => {
                visit("sub_function", number(sub_function));
                let name = codes::lookup(FunctionCode::DIAGNOSTICS, sub_function).filter(|row| row.sub.is_some());
                visit("diagnostic", name_or_null(name.map(|row| row.name)));
                let whole = data.len().is_multiple_of(2);
                visit("data", if whole { Value::Words(data) } else { Value::Octets(data) });
            }
            Body::EventCounter { status, event_count } => {
                visit("status", number(status));
                visit("event_count", number(event_count));
            }
            Body::EventLog { byte_count, status, event_count, message_count, events } => {
                visit("byte_count", octet(byte_count));
                visit("status", number(status));
                visit("event_count", number(event_count));
                visit("message_count", number(message_count));
                visit("events", Value::Octets(events));
            }
            Body::Multiple { starting_address, quantity, byte_count, values } => {
                visit("starting_address", number(starting_address));
                visit(quantity_name(code), number(quantity));
                visit("byte_count", octet(byte_count));
                if code == 15 {
                    visit("outputs_value", Value::Bits(values, u32::from(quantity).min(bit_count(values))));
                } else {
                    visit("registers_value", Value::Words(values));
                }
            }
            Body::ServerId { byte_count, data } => {
                visit("byte_count", octet(byte_count));
                visit("server_id", Value::Octets(data));
            }
            Body::ReadFile { byte_count, .. } => {
                visit("byte_count", octet(byte_count));
                self.file_fields(visit);
            }
            Body::WriteFile { data_length, .. } => {
                visit("request_data_length", octet(data_length));
                self.file_fields(visit);
            }
            Body::FileData { data_length, sub_responses } => {
                visit("resp_data_length", octet(data_length));
                let mut reader = Reader::new(sub_responses);
                // Every turn uses up at least one octet.
                while let Ok(length) = reader.u8("file_resp_length") {
                    visit("file_resp_length", octet(length));
                    let sub = reader.take(length.into(), "record_data").unwrap_or_else(|_| reader.rest());
                    if let Some((reference_type, record_data)) = sub.split_first() {
                        visit("reference_type", octet(*reference_type));
                        visit("record_data", Value::Words(record_data));
                    }
                }
            }
            Body::MaskWrite { reference_address, and_mask, or_mask } => {
                visit("reference_address", number(reference_address));
                visit("and_mask", number(and_mask));
                visit("or_mask", number(or_mask));
            }
            Body::ReadWrite {
                read_starting_address,
                quantity_to_read,
                write_starting_address,
                quantity_to_write,
                write_byte_count,
                values,
            } => {
                visit("read_starting_address", number(read_starting_address));
                visit("quantity_to_read", number(quantity_to_read));
                visit("write_starting_address", number(write_starting_address));
                visit("quantity_to_write", number(quantity_to_write));
                visit("write_byte_count", octet(write_byte_count));
                visit("write_registers_value", Value::Words(values));
            }
            Body::FifoPointer { fifo_pointer_address } => visit("fifo_pointer_address", number(fifo_pointer_address)),
            Body::Fifo { byte_count, fifo_count, values } => {
                visit("byte_count", number(byte_count));
                visit("fifo_count", number(fifo_count));
                visit("fifo_value_register", Value::Words(values));
            }
            Body::EncapsulatedInterface { mei_type, data } => {
                visit("mei_type", octet(mei_type));
                visit("mei_type_specific_data", Value::Octets(data));
            }
            Body::ReadDeviceId { read_device_id_code, object_id } => {
                visit("mei_type", octet(mei_type::READ_DEVICE_IDENTIFICATION));
                visit("read_device_id_code", octet(read_device_id_code));
                visit("object_id", octet(object_id));
            }
            Body::DeviceId {
                read_device_id_code,
                conformity_level,
                more_follows,
                next_object_id,
                number_of_objects,
                objects,
            } => {
                visit("mei_type", octet(mei_type::READ_DEVICE_IDENTIFICATION));
                visit("read_device_id_code", octet(read_device_id_code));
                visit("conformity_level", octet(conformity_level));
                visit("more_follows", octet(more_follows));
                visit("next_object_id", octet(next_object_id));
                visit("number_of_objects", octet(number_of_objects));
                for (object_id, value) in (DeviceObjects { rest: Reader::new(objects), left: number_of_objects }) {
                    visit("object_id", octet(object_id));
                    visit("object_length", Value::Unsigned(small(value.len()).into()));
                    visit("object_value", Value::Text(value));
                }
            }
            Body::UmasRequest { session, code, data } => {
                visit("session", octet(session));
                visit("umas_function_code", octet(code));
                let row = codes::lookup(FunctionCode::UMAS, code.into()).filter(|row| row.sub.is_some());
                visit("umas_function", name_or_null(row.map(|row| row.name)));
                visit("data", Value::Octets(data));
            }
            Body::UmasResponse { session, status, data } => {
                visit("session", octet(session));
                visit("umas_status", octet(status));
                visit("data", Value::Octets(data));
            }
            Body::Exception { exception_code } => {
                visit("exception_code", octet(exception_code.0));
                visit("exception", name_or_null(exception_code.name()));
            }
            Body::Opaque { data } => visit("data", Value::Octets(data)),
        }
    }

    fn file_fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        for reference in self.file_references() {
            visit("reference_type", Value::Unsigned(reference.reference_type.into()));
            visit("file_number", Value::Unsigned(reference.file_number.into()));
            visit("record_number", Value::Unsigned(reference.record_number.into()));
            visit("record_length", Value::Unsigned(reference.record_length.into()));
            if matches!(self.body, Body::WriteFile { .. }) {
                visit("record_data", Value::Words(reference.record_data));
            }
        }
    }
}
