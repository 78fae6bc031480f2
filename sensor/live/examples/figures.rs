//! What listening costs: `figures INTERFACE SECONDS (dispatch|next|listen) [RING_MIB [PAUSE]]` counts frames and the
//! processor time of it, by a bare loop over libpcap or by the capture thread with a consumer that only counts.
#![expect(clippy::print_stdout, reason = "it is a tool that prints")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use yagura_live::capture::{LiveCapture, Settings};
use yagura_live::hand_over::{Bounds, Handed, hand_over};
use yagura_live::listen::listen;

/// Processor time of this process until now.
fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, interface, seconds, way, rest @ ..] = arguments.as_slice() else {
        return Err("figures INTERFACE SECONDS (dispatch|next|listen) [RING_MIB [PAUSE]]".into());
    };
    let time = Duration::from_secs(seconds.parse()?);
    let ring: u32 = rest.first().map_or(Ok(64), |text| text.parse())?;
    // Frames that wait in a large ring measure the reading alone, however fast they were sent.
    let pause = Duration::from_secs(rest.get(1).map_or(Ok(0), |text| text.parse())?);
    let (mut read, mut octets) = (0_u64, 0_u64);
    let (received, dropped, before);
    if way == "listen" {
        let mut capture = LiveCapture::open(Settings { ring_octets: ring << 20, ..Settings::of(interface) })?;
        std::thread::sleep(pause);
        before = processor();
        let (mut giver, taker) = hand_over(Bounds::default());
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(time);
                stop.store(true, Ordering::Relaxed);
            });
            let counting = scope.spawn(move || {
                let (mut frames, mut octets) = (0_u64, 0_u64);
                while let Ok(handed) = taker.receiver().recv() {
                    if let Handed::Frames(batch) = handed {
                        frames += batch.frames.len() as u64;
                        octets += batch.octets.len() as u64;
                        taker.give_back(batch);
                    }
                }
                (frames, octets)
            });
            let ended = listen(&mut capture, &mut giver, &stop);
            println!("{:?}", giver.finish(Duration::from_secs(1)));
            (read, octets) = counting.join().unwrap_or_default();
            ended
        })?;
        let stats = capture.stats();
        (received, dropped) = (stats.received, stats.dropped_by_kernel);
    } else {
        let mut capture = pcap::Capture::from_device(interface.as_str())?
            .promisc(true)
            .snaplen(262_144)
            .buffer_size(i32::try_from(ring << 20)?)
            .precision(pcap::Precision::Nano)
            .timeout(50)
            .open()?
            .setnonblock()?;
        std::thread::sleep(pause);
        before = processor();
        let start = Instant::now();
        while start.elapsed() < time {
            let earlier = read;
            if way == "dispatch" {
                capture.dispatch(Some(1_024), |packet| {
                    read += 1;
                    octets += packet.data.len() as u64;
                })?;
            } else {
                while read < earlier + 1_024
                    && let Ok(packet) = capture.next_packet()
                {
                    read += 1;
                    octets += packet.data.len() as u64;
                }
            }
            if read == earlier {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let stats = capture.stats()?;
        (received, dropped) = (u64::from(stats.received), u64::from(stats.dropped));
    }
    let processor = processor().saturating_sub(before);
    println!(
        "{way}: received {received}, dropped {dropped}, read {read} ({octets} octets); processor {processor:?}, {:.0} \
         ns a frame",
        processor.as_secs_f64() * 1e9 / (read.max(1) as f64)
    );
    Ok(())
}
