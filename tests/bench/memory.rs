//! The memory of the processes of a group while they run, from /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The tools whose memory counts.
pub const TOOLS: [&str; 7] =
    ["job-split", "overlay-pack", "tftp-stage", "ssh-connect", "serial-expect", "mn-broker", "mn-report"];

/// Their peers.
pub const PEERS: [&str; 2] = ["lava-run", "lava-coordinator"];

/// What was seen.
#[derive(Default)]
pub struct Peaks {
    /// The most that one process of each tool ever held, in MiB.
    pub resident: BTreeMap<String, f64>,
    /// The most that all processes held at one time, in MiB; what several share is counted once.
    pub together: f64,
}

/// Looks at the descendants of this process every 20 ms until told to stop. The kernel keeps the peak of a process
/// in between; the peak of all is one of those that were looked at.
pub fn watch(stop: &AtomicBool) -> Peaks {
    let mut peaks = Peaks::default();
    while !stop.load(Ordering::Relaxed) {
        peaks.look();
        std::thread::sleep(Duration::from_millis(20));
    }
    peaks
}

impl Peaks {
    fn look(&mut self) {
        let mut together = 0.0;
        for pid in descendants() {
            let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            if let Some(tool) = field(&status, "Name:").and_then(tool) {
                let peak = self.resident.entry(tool.to_owned()).or_default();
                *peak = peak.max(mebibytes(&status, "VmHWM:"));
            }
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            together += mebibytes(&rollup, "Pss:");
        }
        self.together = self.together.max(together);
    }
}

fn descendants() -> BTreeSet<u32> {
    let parents = parents();
    let is_ours = |&pid: &u32| {
        let mut ancestor = parents.get(&pid);
        while let Some(pid) = ancestor.filter(|pid| **pid != std::process::id()) {
            ancestor = parents.get(pid);
        }
        ancestor.is_some()
    };
    parents.keys().copied().filter(is_ours).collect()
}

/// The parent of each process.
fn parents() -> BTreeMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Some((pid, field(&status, "PPid:")?.parse().ok()?))
    })
    .collect()
}

/// The tool of a process name, of which the kernel keeps 15 bytes; LAVA adds its job to it.
fn tool(name: &str) -> Option<&'static str> {
    let word = name.split(' ').next()?;
    TOOLS.into_iter().chain(PEERS).find(|tool| tool[..tool.len().min(15)] == *word)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn mebibytes(text: &str, name: &str) -> f64 {
    let kib = field(text, name).and_then(|value| value.split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_known_by_what_the_kernel_keeps_of_its_name() {
        assert_eq!(tool("mn-broker"), Some("mn-broker"));
        assert_eq!(tool("lava-coordinato"), Some("lava-coordinator"));
        assert_eq!(tool("lava-run [job: "), Some("lava-run"));
        assert_eq!(tool("lava"), None);
        assert_eq!(tool(""), None);
    }

    #[test]
    fn kibibytes_become_mebibytes() {
        assert_eq!(mebibytes("Name:\tx\nVmHWM:\t    3072 kB\n", "VmHWM:"), 3.0);
        assert_eq!(mebibytes("Name:\tx\n", "VmHWM:"), 0.0);
    }
}
