//! Any octets as a capture file, plain or compressed, alone or twice: every call moves on, or ends with an error.
#![no_main]

use fuzz::{Octets, in_time};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;
use yagura::capture::source::{Fill, FrameSource};
use yagura::capture::{Extent, open};
use yagura_core::frame::FrameBatch;

/// One file for all inputs of this process; `scripts/fuzz.sh` sees to it that its folder is in memory, and removes it.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fuzz-capture-{}", std::process::id())));

/// Frames that are read of one input: a compressed file may hold more than there is time for.
const FRAMES_MAX: u64 = 20_000;

fn execute(data: &[u8]) {
    let mut input = Octets(data);
    let how = input.octet();
    std::fs::write(&*FILE, input.0).expect("the folder for temporary files can be written");
    let captures = usize::from(how & 1) + 1;
    let frames_max = [1, 2, 7, 512][usize::from(how >> 1 & 3)];
    let extent = Extent { until: None, frames: Some(FRAMES_MAX) };
    let Ok(mut source) = open(&vec![FILE.clone(); captures], extent).map_err(|error| error.to_string()) else { return };

    let mut batch = FrameBatch::default();
    let mut numbers = vec![0; captures];
    let mut damages = 0;
    loop {
        match source.fill(&mut batch, frames_max) {
            Ok(Fill::Frames) => {
                assert!(damages == 0, "frames after damage was told");
                assert!(!batch.frames.is_empty(), "a batch of no frames");
                assert!(batch.frames.len() <= frames_max);
                for head in &batch.frames {
                    let number = &mut numbers[usize::from(head.origin.capture)];
                    *number += 1;
                    assert_eq!(head.origin.frame, *number, "a frame was left out");
                    assert_eq!(batch.octets_of(head).len(), usize::try_from(head.captured_octets).expect("32 bits"));
                }
            }
            Ok(Fill::End) => break,
            Ok(other) => panic!("a file has frames and nothing else: {other:?}"),
            Err(error) => {
                damages += 1;
                assert!(damages <= captures, "a damage is told again: {error}");
                assert!(!error.to_string().contains(char::is_control), "{error}");
            }
        }
    }
    assert!(matches!(source.fill(&mut batch, frames_max), Ok(Fill::End)), "the end is not the end");
    assert!(batch.frames.is_empty());
    assert!(source.frames_without_time() <= numbers.iter().sum());
}

fuzz_target!(|data: &[u8]| in_time(|| execute(data)));
