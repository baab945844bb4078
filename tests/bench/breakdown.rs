//! Where the time of a group goes, as lines for people.

use crate::group::Runs;
use crate::run::Run;
use crate::stages::{self, Stage};

/// Ours beside LAVA's, of the median run.
pub fn table(ours: &Runs, lava: Option<&Runs>) -> Vec<String> {
    let row = |name: &str, unit: &str, ours: Option<f64>, lava: Option<f64>| {
        format!("  {name:<24} {unit:<4} {:>8} {:>8}", cell(ours), cell(lava))
    };
    let mut lines = vec![format!("  {:<24} {:<4} {:>8} {:>8}", "group-model, by stage", "", "ours", "LAVA")];
    for stage in stages::OURS.iter().map(|end| end.stage).chain([stages::CLEANUP]) {
        let in_lava = lava.and_then(|lava| seconds(lava.median(), stage));
        lines.push(row(stage, "s", seconds(ours.median(), stage), in_lava));
    }
    let mut total = |name: &str, unit: &str, value: fn(&Runs) -> f64| {
        lines.push(row(name, unit, Some(value(ours)), lava.map(value)))
    };
    total("in all", "s", |runs| runs.median().usage.wall);
    total("processor time", "s", |runs| runs.median().usage.cpu);
    total("memory of all at once", "MiB", |runs| runs.peaks.together);
    total("processes and threads", "", |runs| runs.median().usage.tasks);
    lines
}

fn cell(value: Option<f64>) -> String {
    match value {
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
        None => "-".to_owned(),
    }
}

fn seconds(run: &Run, stage: &str) -> Option<f64> {
    run.stages.iter().find(|(name, _)| *name == stage).map(|(_, seconds)| *seconds)
}

/// What stands between a run and `goal` seconds: the longest stages, as many as are as long as what is too much.
pub fn obstacles(run: &Run, goal: f64) -> Vec<String> {
    let excess = run.usage.wall - goal;
    if excess <= 0.0 {
        return vec![format!("  nothing stands between us and {goal} s")];
    }
    let stands = format!("  between us and {goal} s stand {excess:.2} s; the longest stages:");
    let name = |(stage, seconds): Stage| format!("    {stage} ({seconds:.2} s): {}", about(stage));
    [stands].into_iter().chain(longest(&run.stages, excess).into_iter().map(name)).collect()
}

/// What takes the time of a stage of ours.
fn about(stage: &str) -> &'static str {
    match stage {
        "start" => "mn-run, the broker, job-split, overlay-pack and its git clone",
        "fetch" => "the download of the artefacts",
        "unpack" => "root, modules and overlay are unpacked, the ramdisk is added to",
        "boot to login" => "the board itself, and the transfer by TFTP",
        "login to first test" => "the first prompt, and the test runner's start",
        "guests until the sync" => "ssh, the overlay, and the guests' tests before they meet the host",
        "drain" => "the guests' last tests and their logout",
        "power off" => "the device's command",
        stages::CLEANUP => "the staged root is removed, the report is printed",
        _ => "the host's tests",
    }
}

/// At least two, because no stage can be done without.
fn longest(stages: &[Stage], excess: f64) -> Vec<Stage> {
    let mut sorted = stages.to_vec();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut sum = 0.0;
    let too_short = |(n, stage): &(usize, Stage)| {
        let wanted = *n < 2 || sum < excess;
        sum += stage.1;
        wanted
    };
    sorted.into_iter().enumerate().take_while(too_short).map(|(_, stage)| stage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 4] = [("fetch", 0.1), ("unpack", 0.5), ("tests", 0.9), ("drain", 0.2)];

    #[test]
    fn the_longest_stages_are_named_until_they_make_up_for_what_is_too_much() {
        assert_eq!(longest(&STAGES, 0.2), [("tests", 0.9), ("unpack", 0.5)]);
        assert_eq!(longest(&STAGES, 1.5), [("tests", 0.9), ("unpack", 0.5), ("drain", 0.2)]);
    }

    #[test]
    fn a_number_that_was_not_measured_is_a_dash() {
        assert_eq!([cell(None), cell(Some(1.005)), cell(Some(321.4))], ["-", "1.00", "321"]);
    }
}
