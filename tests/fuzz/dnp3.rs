//! Any octets as DNP3: as they come, or with all lengths and checksums of link frames made right.
#![no_main]

use fuzz::in_time;
use fuzz::protocol::{Subject, check};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use yagura_parsers::dissect::{Direction, Hints};
use yagura_parsers::protocols::dnp3::{Dnp3, Dnp3Dissector};

/// Octets of the header with its CRC.
const HEADER: usize = 10;
/// Octets of user data before a CRC.
const BLOCK: usize = 16;

/// CRC-16/DNP of each octet: polynomial 0x3D65 reflected.
const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let (mut crc, mut bit) = (octet as u16, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xa6bc } else { crc >> 1 };
            bit += 1;
        }
        table[octet] = crc;
        octet += 1;
    }
    table
};

fn crc(octets: &[u8]) -> [u8; 2] {
    let step = |crc: u16, octet: &u8| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ octet)];
    (!octets.iter().fold(0, step)).to_le_bytes()
}

/// Writes the CRC of all octets but the last two there.
fn seal(octets: &mut [u8]) {
    if let Some((block, sum)) = octets.split_last_chunk_mut::<2>() {
        *sum = crc(block);
    }
}

/// DNP3.
struct Dnp3Subject;

impl Subject for Dnp3Subject {
    type Protocol = Dnp3;
    const ANY_CUT: bool = true;
    /// A frame is found behind any octets.
    const REFUSES_FOR_GOOD: bool = false;

    fn dissector(_hints: &Hints, _other_dialect: bool) -> Dnp3Dissector {
        Dnp3Dissector::default()
    }

    /// Start octets, lengths and CRCs; the last frame is as long as there are octets, if it claims more.
    fn repair(octets: &mut [u8]) {
        let mut rest = octets;
        while let Some((header, behind)) = rest.split_first_chunk_mut::<HEADER>() {
            let blocks = behind.len() / (BLOCK + 2);
            let most = blocks * BLOCK + (behind.len() % (BLOCK + 2)).saturating_sub(2);
            let user_octets = usize::from(header[2].saturating_sub(5)).min(most);
            (header[0], header[1], header[2]) = (0x05, 0x64, u8::try_from(5 + user_octets).expect("at most 255"));
            seal(header);
            let (user_data, behind) = behind.split_at_mut(user_octets + user_octets.div_ceil(BLOCK) * 2);
            user_data.chunks_mut(BLOCK + 2).for_each(seal);
            rest = behind;
        }
    }

    /// The transport header of the first frame: the next segment of the same fragment.
    fn go_on(octets: &mut [u8]) {
        if let Some((_, block)) = octets.split_at_mut_checked(HEADER).filter(|(_, block)| block.len() > 2) {
            block[0] = block[0] & 0x80 | block[0].wrapping_add(1) & 0x3f;
            let end = block.len().min(BLOCK + 2);
            seal(&mut block[..end]);
        }
    }

    fn good(direction: Direction, _other_dialect: bool) -> &'static [u8] {
        match direction {
            Direction::ToServer => READ.as_slice(),
            Direction::ToClient => RESPONSE.as_slice(),
        }
    }
}

/// Makes the octets of one frame right; its CRCs are 0 in them.
fn repaired<const OCTETS: usize>(mut octets: [u8; OCTETS]) -> [u8; OCTETS] {
    Dnp3Subject::repair(&mut octets);
    octets
}

/// A request to read class 1 (g60v2, all), of one frame.
static READ: LazyLock<[u8; 18]> =
    LazyLock::new(|| repaired([0x05, 0x64, 11, 0xc4, 10, 0, 1, 0, 0, 0, 0xc1, 0xc3, 1, 60, 2, 6, 0, 0]));

/// A response without objects, of one frame.
static RESPONSE: LazyLock<[u8; 17]> =
    LazyLock::new(|| repaired([0x05, 0x64, 10, 0x44, 1, 0, 10, 0, 0, 0, 0xc1, 0xc3, 129, 0, 0, 0, 0]));

fuzz_target!(|data: &[u8]| in_time(|| check::<Dnp3Subject>(data)));
