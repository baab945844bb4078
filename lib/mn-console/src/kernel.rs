//! Trouble that a booting kernel reports: panic, oops, bug, warning, sanitizers, and a board that has reset.
//!
//! Works on whole lines, which is how the kernel reports them; the table is that of LAVA's boot.

use crate::lines::readable;
use regex::bytes::Regex;
use std::sync::LazyLock;

/// Bytes of one line that are looked at.
const LINE_BYTES: usize = 1024;
/// Bytes kept of one report; the rest of a longer one is left out.
const REPORT_BYTES: usize = 16 * 1024;
/// Reports kept of one boot; later ones that are not fatal are only counted.
const REPORTS: usize = 100;

/// Whether the boot can go on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The kernel goes on.
    Noted,
    /// The kernel is dead or the board has begun again.
    Fatal,
}

/// One report of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// LAVA's word for it: `panic`, `oops`, `bug`, `warning`, `fault`, `kasan`, `DUT_has_reset`, …
    pub kind: &'static str,
    /// The report's lines, made readable.
    pub message: String,
    /// Whether it ends the boot.
    pub weight: Weight,
}

/// How far a report extends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Until {
    Line,
    /// A line with this text.
    Text(&'static str),
    /// A line of equals signs, as the sanitizers draw below their report.
    Ruler,
}

struct Start {
    text: &'static str,
    until: Until,
    kind: &'static str,
    weight: Weight,
}

const fn noted(text: &'static str, until: Until, kind: &'static str) -> Start {
    Start { text, until, kind, weight: Weight::Noted }
}

const fn fatal(text: &'static str, until: Until, kind: &'static str) -> Start {
    Start { text, until, kind, weight: Weight::Fatal }
}

const RESET: &str = "DUT_has_reset";

/// Fatal ones first: they are looked for inside other reports as well.
const STARTS: [Start; 13] = [
    fatal("Kernel panic - not syncing", Until::Text("end Kernel panic"), "panic"),
    fatal("U-Boot SPL 20", Until::Line, RESET),
    noted("-[ cut here ]", Until::Text("---[ end trace "), "unknown"),
    noted("Unhandled fault", Until::Line, "fault"),
    noted("BUG: KCSAN:", Until::Ruler, "kcsan"),
    noted("BUG: KASAN:", Until::Ruler, "kasan"),
    noted("BUG: KFENCE:", Until::Ruler, "kfence"),
    noted("Oops -", Until::Line, "oops"),
    noted("Oops:", Until::Line, "oops"),
    noted("WARNING:", Until::Text("end trace"), "warning"),
    noted("kernel BUG at", Until::Line, "bug"),
    noted("BUG:", Until::Line, "bug"),
    noted("invalid opcode:", Until::Line, "invalid opcode"),
];

/// What every start has a part of, to pass by the lines that have none.
static HINT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new("(?-u)Kernel panic|U-Boot SPL|cut here|Unhandled|BUG|Oops|WARNING|invalid opcode").ok()
});

/// Whether a line may begin a report: what a terminal's sequence stands in cannot be told from its bytes.
pub(crate) fn may_begin(line: &[u8]) -> bool {
    line.contains(&b'\x1b') || HINT.as_ref().is_none_or(|hint| hint.is_match(line))
}

/// The weight of the report that a line begins, if it begins one.
pub(crate) fn weight_of(line: &str) -> Option<Weight> {
    STARTS.iter().find(|start| line.contains(start.text)).map(|start| start.weight)
}

/// What the first words of a board's firmware mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Beginning {
    /// The board has reset itself.
    #[default]
    Fatal,
    /// It has just got its power.
    Awaited,
}

/// Watches a console for reports.
#[derive(Debug, Default)]
pub struct Watch {
    beginning: Beginning,
    line: Vec<u8>,
    open: Option<(Until, Report)>,
    reports: Vec<Report>,
}

impl Watch {
    /// For a board whose beginning means this.
    pub fn new(beginning: Beginning) -> Watch {
        Watch { beginning, ..Watch::default() }
    }

    /// Takes what was read, up to the end of the first fatal report, which it gives.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Report> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            self.extend(&rest[..end]);
            let report = self.end_line();
            if report.is_some() {
                return report;
            }
            rest = &rest[end + 1..];
        }
        self.extend(rest);
        None
    }

    fn extend(&mut self, part: &[u8]) {
        let room = LINE_BYTES - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_line(&mut self) -> Option<Report> {
        let matters = self.open.is_some() || may_begin(&self.line);
        let report = matters.then(|| readable(&self.line)).and_then(|line| self.line(&line));
        self.line.clear();
        report
    }

    fn line(&mut self, line: &str) -> Option<Report> {
        if line.is_empty() {
            return None;
        }
        let means = |start: &&Start| start.kind != RESET || self.beginning == Beginning::Fatal;
        let started = STARTS.iter().filter(means).find(|start| line.contains(start.text));
        let inside = self.open.as_ref().map(|(_, report)| report.weight);
        if let Some(start) =
            started.filter(|start| inside.is_none() || (inside, start.weight) == (Some(Weight::Noted), Weight::Fatal))
        {
            self.close();
            let report = Report { kind: start.kind, message: line.to_owned(), weight: start.weight };
            self.open = Some((start.until, report));
            return (start.until == Until::Line).then(|| self.close()).flatten();
        }
        let (until, report) = self.open.as_mut()?;
        if report.message.len() + line.len() < REPORT_BYTES {
            report.message.push('\n');
            report.message.push_str(line);
        }
        let ended = match until {
            Until::Line => true,
            Until::Text(text) => line.contains(*text),
            Until::Ruler => line.trim_end().ends_with("=========="),
        };
        ended.then(|| self.close()).flatten()
    }

    /// Ends the open report, if there is one, and gives it if it is fatal.
    fn close(&mut self) -> Option<Report> {
        let (_, mut report) = self.open.take()?;
        if report.kind == "unknown" {
            report.kind = what_was_cut(&report.message);
        }
        if report.weight == Weight::Fatal {
            return Some(report);
        }
        if self.reports.len() < REPORTS {
            self.reports.push(report);
        }
        None
    }

    /// Whether a fatal report has begun and not yet ended.
    pub fn is_dying(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, report)| report.weight == Weight::Fatal)
    }

    /// Ends the watch: a fatal report that was still open.
    pub fn flush(&mut self) -> Option<Report> {
        self.close()
    }

    /// The reports so far that were not fatal.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }
}

/// The kind of a report between the rulers.
fn what_was_cut(message: &str) -> &'static str {
    let kinds = [("Oops", "oops"), ("BUG", "bug"), ("WARNING", "warning")];
    kinds.iter().find(|(text, _)| message.contains(text)).map_or("unknown", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<&'static str> {
        let mut watch = Watch::default();
        assert_eq!(watch.push(text.as_bytes()), None);
        watch.flush();
        watch.reports().iter().map(|report| report.kind).collect()
    }

    #[test]
    fn a_clean_boot_reports_nothing() {
        assert_eq!(kinds("[    0.0] Linux version 6.1\r\n[    1.2] usb 1-1: new device\r\nlogin: "), [""; 0]);
    }

    #[test]
    fn each_report_has_its_kind_and_its_end() {
        let text = "[1] ------------[ cut here ]------------\r\n[1] WARNING: CPU: 0 at x.c:1\r\n[1] ---[ end trace 0000 ]---\r\n\
            [2] BUG: KASAN: use-after-free in f\r\n[2] read of size 8\r\n[2] ==================\r\n\
            [3] BUG: unable to handle page fault\r\n[4] Internal error: Oops - undefined\r\n[5] Unhandled fault: x\r\n\
            [6] BUG: KFENCE: y\r\n[6] ===============\r\n";
        assert_eq!(kinds(text), ["warning", "kasan", "bug", "oops", "fault", "kfence"]);
    }

    #[test]
    fn the_lines_of_a_report_belong_to_it() {
        let mut watch = Watch::default();
        watch.push(b"x ---[ cut here ]---\nkernel BUG at fs/a.c:1!\n---[ end trace 1 ]---\nafter\n");
        assert_eq!(watch.reports()[0].message, "x ---[ cut here ]---\nkernel BUG at fs/a.c:1!\n---[ end trace 1 ]---");
        assert_eq!(watch.reports()[0].kind, "bug");
    }

    #[test]
    fn a_panic_ends_the_boot_wherever_it_comes() {
        let mut watch = Watch::default();
        watch.push(b"WARNING: something without an end\r\nKernel panic - not syncing: VFS: no root\r\nCPU: 0\r\n");
        assert!(watch.is_dying());
        let report = watch.push(b"---[ end Kernel panic - not syncing: VFS: no root ]---\r\n").unwrap();
        assert_eq!((report.kind, report.weight), ("panic", Weight::Fatal));
        assert!(report.message.starts_with("Kernel panic - not syncing: VFS: no root\nCPU: 0\n"));
    }

    #[test]
    fn a_recorded_panic_is_found_however_its_bytes_are_cut() {
        let recorded = include_bytes!("../../../tests/data/console/qemu-panic.log");
        for size in [1, 13, 4096, recorded.len()] {
            let mut watch = Watch::default();
            let report = recorded.chunks(size).find_map(|bytes| watch.push(bytes)).unwrap();
            assert_eq!((report.kind, report.message.lines().count()), ("panic", 24));
            assert_eq!(watch.reports(), []);
        }
    }

    #[test]
    fn a_panic_without_end_is_given_when_the_watch_ends() {
        let mut watch = Watch::default();
        assert_eq!(watch.push(b"Kernel panic - not syncing: x\n"), None);
        assert_eq!(watch.flush().map(|report| report.kind), Some("panic"));
    }

    #[test]
    fn a_board_that_starts_again_is_noticed() {
        let report = Watch::default().push(b"\r\nU-Boot SPL 2023.04 (Apr 01)\r\n").unwrap();
        assert_eq!(report.kind, "DUT_has_reset");
    }

    #[test]
    fn a_board_that_has_just_got_its_power_may_say_so() {
        let mut watch = Watch::new(Beginning::Awaited);
        assert_eq!(watch.push(b"\r\nU-Boot SPL 2023.04 (Apr 01)\r\n"), None);
        assert_eq!(watch.push(b"Kernel panic - not syncing: x\r\n---[ end Kernel panic ]\r\n").unwrap().kind, "panic");
    }

    #[test]
    fn a_report_that_never_ends_takes_bounded_memory() {
        let mut watch = Watch::default();
        watch.push(b"WARNING: x\n");
        for _ in 0..10_000 {
            watch.push(&[b'y'; 100]);
            watch.push(b"\n");
        }
        watch.flush();
        assert!(watch.reports()[0].message.len() <= REPORT_BYTES);
    }
}
