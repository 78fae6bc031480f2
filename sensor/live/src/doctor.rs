//! `doctor`: an interface looked at for some seconds, and what is wrong with it and with its mirror.

use crate::capture::{LiveCapture, PATIENCE, Settings};
use crate::diagnosis::{Diagnosis, Missing, Port};
use crate::error::Error;
use crate::finding::Finding;
use crate::interface::Interface;
use crate::prepare::check;
use crate::transmitted::Transmitted;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Frames seen between two looks at the clock.
const FRAMES: usize = 1_024;

/// Looks at an interface for `time`, or until `stop` is set: how it is configured, whether it sends, and what arrives.
/// Nothing is changed but that the interface takes frames for others as long as it lasts. Faults first.
///
/// # Errors
/// As [`LiveCapture::open`], and where the interface goes away meanwhile.
pub fn doctor(interface: &str, time: Duration, stop: &AtomicBool) -> Result<Vec<Finding>, Error> {
    let port = Interface::named(interface)?;
    let mut findings = check(interface)?;
    let link = port.link()?;
    let mut capture = LiveCapture::open(Settings::of(interface))?;
    let mut transmitted = Transmitted::of([interface])?;
    let mut diagnosis = Diagnosis::of(Port { mtu: link.mtu, own: link.address });
    let start = Instant::now();
    while start.elapsed() < time && !stop.load(Ordering::Relaxed) {
        if capture.read(FRAMES, |head, octets| diagnosis.see(&head, octets)) == 0 {
            capture.wait(PATIENCE)?;
        }
    }
    let stats = capture.stats();
    diagnosis.missing(Missing { kernel: stats.dropped_by_kernel, interface: stats.dropped_by_interface });
    for sent in transmitted.look() {
        findings.push(Finding::fault(format!(
            "{interface} sent {} frames ({} octets) into the monitored network while it was looked at. Prepare the \
             port, and look for programs of this machine that use it.",
            sent.frames, sent.octets
        )));
    }
    findings.extend(diagnosis.words(start.elapsed().as_secs()));
    findings.sort_by_key(|finding| finding.grade);
    Ok(findings)
}
