//! The stages of a run, told apart by the times in its logs.

/// How a stage's end is found in the logs: a line that has all of these texts.
pub struct End {
    pub stage: &'static str,
    which: Which,
    texts: &'static [&'static str],
}

/// Several lines may have them.
enum Which {
    First,
    Last,
}

const HOST: &str = r#""role":"host""#;

/// In progress.jsonl and results.jsonl of a run directory.
pub const OURS: [End; 10] = [
    last("start", &[HOST, r#""step":"packed""#]),
    last("fetch", &[HOST, r#""step":"fetch""#]),
    first("unpack", &[HOST, r#""step":"serve""#]),
    first("boot to login", &[HOST, r#""step":"test""#]),
    first("login to first test", &[HOST, r#""step":"run""#]),
    first("tests until the sync", &[HOST, r#""step":"call""#, "lava-sync clients"]),
    first("guests until the sync", &[HOST, "multinode-sync-clients"]),
    first("tests after the sync", &[HOST, r#""step":"drain""#]),
    first("drain", &[HOST, r#""step":"power-off""#]),
    first("power off", &[HOST, r#""case":"job""#]),
];

/// In the log of the host's lava-run. It has no drain.
pub const LAVA: [End; 9] = [
    first("start", &["start: 1 tftp-deploy"]),
    first("fetch", &["start: 1.5 prepare-tftp-overlay"]),
    first("unpack", &["start: 2 grub-main-action"]),
    first("boot to login", &["end: 2.9 auto-login-action"]),
    first("login to first test", &["<LAVA_SIGNAL_STARTRUN"]),
    first("tests until the sync", &["Received Multi_Node API <LAVA_SYNC>"]),
    first("guests until the sync", &[r#""case": "multinode-sync-clients""#]),
    first("tests after the sync", &["start: 4 finalize"]),
    first("power off", &["end: 4.1 power-off"]),
];

/// The stage after the last one that has an end in the logs.
pub const CLEANUP: &str = "cleanup";

const fn first(stage: &'static str, texts: &'static [&'static str]) -> End {
    End { stage, which: Which::First, texts }
}

const fn last(stage: &'static str, texts: &'static [&'static str]) -> End {
    End { stage, which: Which::Last, texts }
}

/// A stage and its seconds.
pub type Stage = (&'static str, f64);

/// The stages of a run that began at this second of the day and took `wall` seconds. A stage whose end is not in the
/// logs is not told; the next one then has its time.
pub fn split(log: &str, ends: &[End], began: f64, wall: f64) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut before = 0.0;
    for End { stage, which, texts } in ends {
        let mut times = log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).filter_map(time);
        let found = match which {
            Which::First => times.next(),
            Which::Last => times.next_back(),
        };
        // A run may go on past midnight.
        let Some(end) = found.map(|time| (time - began).rem_euclid(86400.0)) else { continue };
        stages.push((*stage, end - before));
        before = end;
    }
    stages.push((CLEANUP, wall - before));
    stages
}

/// The second of the day of a line: `"at":"YYYY-MM-DDThh:mm:ss.ffffffZ"` or, in LAVA's, `"dt": "…"`.
fn time(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once(r#""at":""#).or_else(|| line.split_once(r#""dt": ""#))?;
    let clock = rest.split_once('T')?.1.split(['Z', '"']).next()?;
    clock.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [End; 3] = [last("fetch", &["fetch"]), first("boot", &["boot", "host"]), first("drain", &["drain"])];

    fn tenths(stages: Vec<Stage>) -> Vec<(&'static str, i64)> {
        stages.into_iter().map(|(stage, seconds)| (stage, (seconds * 10.0).round() as i64)).collect()
    }

    #[test]
    fn a_stage_lasts_from_the_end_of_the_one_before_to_its_own() {
        let log = r#"
            {"step":"fetch","at":"2026-11-22T00:01:00.500000Z"}
            {"step":"fetch","at":"2026-11-22T00:01:01.000000Z"}
            {"step":"boot","role":"guest","at":"2026-11-22T00:01:01.100000Z"}
            {"step":"boot","role":"host","at":"2026-11-22T00:01:03.000000Z"}
            {"step":"boot","role":"host","at":"2026-11-22T00:01:04.000000Z"}
            {"step":"drain","at":"2026-11-22T00:01:04.500000Z"}"#;
        let expected = [("fetch", 10), ("boot", 20), ("drain", 15), ("cleanup", 5)];
        assert_eq!(tenths(split(log, &ENDS, 60.0, 5.0)), expected);
    }

    #[test]
    fn a_stage_that_is_not_in_the_log_is_not_told() {
        let log = r#"{"dt": "2026-11-22T00:00:02.000000", "msg": "fetch"}"#;
        assert_eq!(tenths(split(log, &ENDS, 1.0, 3.0)), [("fetch", 10), ("cleanup", 20)]);
    }

    #[test]
    fn a_run_may_go_on_past_midnight() {
        let log = r#"{"dt": "2026-11-23T00:00:01.000000", "msg": "fetch"}"#;
        assert_eq!(tenths(split(log, &ENDS, 86399.0, 3.0)), [("fetch", 20), ("cleanup", 10)]);
    }
}
