//! `Packing`: how captures are compressed, and the decompressors.

use std::io::{self, Read};

/// A decompressor that meets damage loses what it unpacked in the same call: so calls are small.
const UNPACKED_OCTETS_A_CALL: usize = 4 << 10;

/// The most memory that an xz stream may ask for, in octets: `xz -9` asks for 65 MiB.
const XZ_MEMORY_OCTETS_MAX: u64 = 256 << 20;

/// How a capture is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// RFC 1952; several members are one stream.
    Gzip,
    /// RFC 8878; several frames are one stream.
    Zstd,
    /// The .xz file format; several streams are one.
    Xz,
}

impl Packing {
    /// The compression of a file that starts so, whatever its name.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, and a skippable frame, which some tools put first (RFC 8878, 3.1.1 and 3.1.2).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', ..] => Some(Self::Xz),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
        }
    }

    /// What is packed in `packed`. Bounded in memory: 32 KiB for gzip, 128 MiB for zstd (its library's own limit), and
    /// [`XZ_MEMORY_OCTETS_MAX`] for xz.
    pub(super) fn unpack(self, packed: impl io::BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(Sips(flate2::bufread::MultiGzDecoder::new(packed))),
            Self::Zstd => Box::new(Sips(zstd::Decoder::with_buffer(packed)?)),
            Self::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_OCTETS_MAX, liblzma::stream::CONCATENATED)?;
                Box::new(Sips(liblzma::bufread::XzDecoder::new_stream(packed, stream)))
            }
        })
    }
}

/// A decompressor that is asked for little at a time: see [`UNPACKED_OCTETS_A_CALL`].
struct Sips<R>(R);

impl<R: Read> Read for Sips<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let octets = room.len().min(UNPACKED_OCTETS_A_CALL);
        self.0.read(room.get_mut(..octets).unwrap_or_default())
    }
}
