//! The least that any program has to do with a capture: `bare FILE` reads a classic pcap in blocks, and has etherparse
//! slice the headers of each frame.

use etherparse::SlicedPacket;
use std::fs::File;
use std::io::Read;

/// Octets of a block.
const BLOCK: usize = 1 << 20;
/// Octets of the file's header, and of a record's.
const HEADERS: (usize, usize) = (24, 16);

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: bare FILE   (classic pcap of this machine's byte order, Ethernet)");
        std::process::exit(2);
    };
    let (mut file, mut block) = (File::open(path)?, vec![0; BLOCK]);
    let (mut kept, mut first) = (0, true);
    let (mut frames, mut octets, mut transports) = (0_u64, 0_u64, 0_u64);
    loop {
        let read = file.read(&mut block[kept..])?;
        let (end, mut at) = (kept + read, 0);
        if std::mem::take(&mut first) {
            at = HEADERS.0.min(end);
        }
        while let Some(header) = block[at..end].first_chunk::<{ HEADERS.1 }>() {
            let captured = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]) as usize;
            let start = at + HEADERS.1;
            let Some(frame) = block[..end].get(start..start + captured) else { break };
            frames += 1;
            octets += captured as u64;
            transports += u64::from(SlicedPacket::from_ethernet(frame).is_ok_and(|packet| packet.transport.is_some()));
            at = start + captured;
        }
        block.copy_within(at..end, 0);
        kept = end - at;
        if read == 0 || kept == BLOCK {
            break;
        }
    }
    println!("{frames} frames, {octets} octets, {transports} with a transport header");
    Ok(())
}
