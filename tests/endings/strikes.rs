//! Signals to mn-run, and kill -9 of every process of a run.

use crate::case::{Case, Cause};
use nix::sys::signal::Signal;
use pumice_tests::random::Random;

/// The host's number in the main job; its guests are 1 to 3.
const HOST: u32 = 4;

/// Each strike, so many times.
pub fn all(signals: usize, kills: usize, random: &mut Random) -> Vec<Case> {
    let signal = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().map(told);
    let mut cases: Vec<Case> = signal.flat_map(|case| vec![case; signals]).collect();
    for role in ["host", "guest"] {
        let holder = if role == "host" { "tftp-stage" } else { "ssh-connect" };
        for tool in ["job-split", "overlay-pack", holder, "serial-expect", "member"] {
            for _ in 0..kills {
                let member = if role == "host" { HOST } else { 1 + random.below(3) };
                cases.push(Case { member: Some(member), ..killed(tool, role) });
            }
        }
    }
    let broker = Case::new("mn-broker is killed", Cause::Kill("mn-broker"), 3, "broker: was ended by SIGKILL");
    let mn_run = Case::new("mn-run is killed", Cause::Kill("mn-run"), 137, "mn-run: died");
    cases.extend([broker, mn_run].into_iter().flat_map(|case| vec![case; kills]));
    cases
}

fn told(signal: Signal) -> Case {
    let key = if signal == Signal::SIGINT { " (^C)" } else { "" };
    let cause = format!("mn-run gets {signal}{key}");
    Case::new(&cause, Cause::Signal(signal), 128 + signal as i32, &format!("mn-run: told to end by {signal}"))
}

fn killed(tool: &'static str, role: &str) -> Case {
    let who = format!("member ID ({role})");
    // A pipeline has the status of its last stage; of the others is known that they are gone.
    let (status, text) = match tool {
        "serial-expect" | "member" => (137, format!("{tool} was ended by SIGKILL")),
        _ => (3, format!("{tool} died")),
    };
    let cause = match tool {
        "member" => format!("the script of a {role} is killed"),
        _ => format!("{tool} of a {role} is killed"),
    };
    Case::new(&cause, Cause::Kill(tool), status, &format!("{who}: {text}"))
}
