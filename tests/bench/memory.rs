//! The resident memory of the tools while they run, from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The tools whose memory counts.
pub const TOOLS: [&str; 7] =
    ["job-split", "overlay-pack", "tftp-stage", "ssh-connect", "serial-expect", "mn-broker", "mn-report"];

/// The most that one process of each tool ever held, in MiB.
pub type Peaks = BTreeMap<&'static str, f64>;

/// Looks every 20 ms until told to stop; the kernel keeps each process's own peak in between.
pub fn watch(stop: &AtomicBool) -> Peaks {
    let mut peaks = Peaks::new();
    while !stop.load(Ordering::Relaxed) {
        look(&mut peaks);
        std::thread::sleep(Duration::from_millis(20));
    }
    peaks
}

fn look(peaks: &mut Peaks) {
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let Some(tool) = field("Name:").and_then(|name| TOOLS.into_iter().find(|tool| *tool == name)) else { continue };
        let kib = field("VmHWM:").and_then(|text| text.split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0);
        let peak = peaks.entry(tool).or_default();
        *peak = peak.max(kib / 1024.0);
    }
}
