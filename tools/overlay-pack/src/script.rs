//! run.sh and install.sh, line by line as LAVA has them.

use crate::definition::{Install, TestDefinition};
use crate::shell::{is_whole, quote};

/// Where a definition stands on the board, and how its signals travel.
pub struct Run<'a> {
    /// The overlay's directory on the board.
    pub overlay: &'a str,
    /// Its directory on the board.
    pub directory: &'a str,
    /// The run's name.
    pub name: &'a str,
    /// Where signals are written.
    pub signals: Signals,
    /// What each signal waits for before it is sent, in milliseconds; 0 is none.
    pub character_delay: u64,
}

/// Where signals are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// On the console, as standard output.
    Stdout,
    /// To the kernel's log.
    Kmsg,
}

impl Signals {
    /// The value of `lava-signal`; standard output when the job has none.
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("stdout") => Some(Self::Stdout),
            Some("kmsg") => Some(Self::Kmsg),
            Some(_) => None,
        }
    }
}

/// The text of run.sh.
pub fn run_script(run: &Run, definition: &TestDefinition) -> String {
    let mut script = assignments(definition);
    script += "set -e\nset -x\n";
    script += &format!("export TESTRUN_ID={}\n", quote(run.name));
    script += &format!("cd {}\n", quote(run.directory));
    script += "UUID=$(cat uuid)\nset +x\n";
    if run.character_delay > 0 {
        script += &format!("export CHARACTER_DELAY={}\n", seconds(run.character_delay));
    }
    if run.signals == Signals::Kmsg {
        script += "# USE_KMSG\nexport KMSG=true\n";
    }
    script += &signal("STARTRUN", run);
    script += "set -x\n";
    for (first, last) in pieces(&definition.steps) {
        script += &mark(first + 1, last + 1);
        for step in &definition.steps[first..=last] {
            script += &guard_positions(step);
            script.push('\n');
        }
    }
    script += "set +x\n";
    script += &signal("ENDRUN", run);
    if run.signals == Signals::Kmsg {
        script += "unset KMSG\n";
    }
    script
}

/// First and last of the steps before which a line may stand: not in the middle of one that goes on in the next, and
/// not before one that asks for the status of the one before it.
fn pieces(steps: &[String]) -> Vec<(usize, usize)> {
    let whole = steps.iter().position(|step| !is_whole(step)).unwrap_or(steps.len());
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match pieces.last_mut() {
            Some((_, last)) if index > whole || step.contains("$?") => *last = index,
            _ => pieces.push((index, index)),
        }
    }
    pieces
}

/// Leaves the numbers of the steps that begin in a file, without a word on the console.
fn mark(first: usize, last: usize) -> String {
    let steps = if first == last { first.to_string() } else { format!("{first}-{last}") };
    format!("{{ echo {steps} >\"${{LAVA_RESULT_DIR:-/nowhere}}/step\" || :; }} 2>/dev/null\n")
}

/// The text of install.sh, when the definition has something to install or says so.
pub fn install_script(run: &Run, definition: &TestDefinition) -> Option<String> {
    let Install { keys, sources, deps, steps, .. } = definition.install.as_ref()?;
    let mut script = assignments(definition);
    for key in keys {
        script += &format!("lava-add-keys {key}\n");
    }
    for source in sources {
        script += &format!("lava-add-sources {source}\n");
    }
    if !deps.is_empty() {
        // The status of the script is that of its last line: a package that is missing must be seen.
        script += &format!("lava-install-packages {} || exit\n", deps.join(" "));
    }
    if !steps.is_empty() {
        script += &format!("cd {}\npwd\n", quote(run.directory));
        for step in steps {
            script += step;
            script.push('\n');
        }
    }
    Some(script)
}

/// The parameters: variables of the script, not of its children.
fn assignments(definition: &TestDefinition) -> String {
    let lines = definition.parameters.iter().map(|(name, value)| format!("{name}={}\n", quote(value)));
    lines.collect()
}

/// Untraced, or the trace of the line would be taken for a second signal; by its path, whatever the steps have made
/// of PATH.
fn signal(name: &str, run: &Run) -> String {
    format!("{} {name} \"$TESTRUN_ID $UUID\"\n", quote(&format!("{}/bin/lava-test-signal", run.overlay)))
}

fn seconds(milliseconds: u64) -> String {
    let text = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// In the argument of `--shell` or `--cmd` a `$1` is meant for the inner shell, as in awk: LAVA
/// puts a backslash before it. Elsewhere, and as `${1}`, it stays.
fn guard_positions(step: &str) -> String {
    if !step.contains("--shell") && !step.contains("--cmd") {
        return step.to_owned();
    }
    let mut guarded = String::with_capacity(step.len());
    let mut rest = step;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        let after = from[1..].trim_start_matches(|c: char| c.is_ascii_digit());
        let is_position = after.len() + 1 < from.len() && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        guarded += before;
        guarded += if is_position { "\\$" } else { "$" };
        rest = &from[1..];
    }
    guarded + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Terms;
    use serde_json::{Value, json};

    fn definition(extra: Value) -> TestDefinition {
        let mut document = json!({"metadata": {}, "run": {"steps": ["ls", "a\nb"]}});
        for (key, value) in extra.as_object().unwrap() {
            document[key] = value.clone();
        }
        TestDefinition::new(document, Terms::default()).unwrap()
    }

    fn run(signals: Signals, character_delay: u64) -> Run<'static> {
        Run { overlay: "/lava-7", directory: "/lava-7/0/tests/0_x", name: "0_x", signals, character_delay }
    }

    #[test]
    fn a_run_announces_itself_untraced_and_its_steps_are_traced() {
        let script = run_script(&run(Signals::Stdout, 0), &definition(json!({"params": {"A": "it's"}})));
        let expected = r#"A='it'\''s'
set -e
set -x
export TESTRUN_ID='0_x'
cd '/lava-7/0/tests/0_x'
UUID=$(cat uuid)
set +x
'/lava-7/bin/lava-test-signal' STARTRUN "$TESTRUN_ID $UUID"
set -x
{ echo 1 >"${LAVA_RESULT_DIR:-/nowhere}/step" || :; } 2>/dev/null
ls
{ echo 2 >"${LAVA_RESULT_DIR:-/nowhere}/step" || :; } 2>/dev/null
a
b
set +x
'/lava-7/bin/lava-test-signal' ENDRUN "$TESTRUN_ID $UUID"
"#;
        assert_eq!(script, expected);
    }

    #[test]
    fn slow_consoles_and_the_kernels_log_have_lines_of_their_own() {
        let script = run_script(&run(Signals::Kmsg, 50), &definition(json!({})));
        let expected = r#"set -e
set -x
export TESTRUN_ID='0_x'
cd '/lava-7/0/tests/0_x'
UUID=$(cat uuid)
set +x
export CHARACTER_DELAY=0.05
# USE_KMSG
export KMSG=true
'/lava-7/bin/lava-test-signal' STARTRUN "$TESTRUN_ID $UUID"
set -x
{ echo 1 >"${LAVA_RESULT_DIR:-/nowhere}/step" || :; } 2>/dev/null
ls
{ echo 2 >"${LAVA_RESULT_DIR:-/nowhere}/step" || :; } 2>/dev/null
a
b
set +x
'/lava-7/bin/lava-test-signal' ENDRUN "$TESTRUN_ID $UUID"
unset KMSG
"#;
        assert_eq!(script, expected);
    }

    #[test]
    fn a_step_that_goes_on_in_the_next_is_marked_with_it() {
        let steps = |steps: &[&str]| pieces(&steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>());
        assert_eq!(steps(&["ls", "case a in", "a) ls ;;", "esac", "ls"]), [(0, 0), (1, 4)]);
        // The mark would be what the status is of.
        assert_eq!(steps(&["set +e", "false", "echo $?", "ls"]), [(0, 0), (1, 2), (3, 3)]);
        assert_eq!(steps(&["echo $?"]), [(0, 0)]);
        assert_eq!(steps(&[]), []);
        assert!(mark(2, 4).starts_with("{ echo 2-4 >"));
    }

    #[test]
    fn an_install_has_keys_sources_packages_and_steps_in_this_order() {
        let install = json!({"steps": ["make"], "deps": ["curl", "jq"], "sources": ["s"], "keys": ["k"]});
        let script = install_script(&run(Signals::Stdout, 0), &definition(json!({"install": install}))).unwrap();
        let expected = "\
lava-add-keys k
lava-add-sources s
lava-install-packages curl jq || exit
cd '/lava-7/0/tests/0_x'
pwd
make
";
        assert_eq!(script, expected);
    }

    #[test]
    fn an_empty_install_is_an_empty_script_and_none_is_none() {
        let of = |extra| install_script(&run(Signals::Stdout, 0), &definition(extra));
        assert_eq!(of(json!({"install": {}})).as_deref(), Some(""));
        assert_eq!(of(json!({})), None);
    }

    #[test]
    fn positions_are_guarded_only_where_a_shell_is_inside() {
        for (step, expected) in [
            ("awk '{print $2}'", "awk '{print $2}'"),
            (r#"lava-test-case a --shell "awk '{print $1}'""#, r#"lava-test-case a --shell "awk '{print \$1}'""#),
            ("x --cmd $1 $10x ${1} $12 $_ $a $", r"x --cmd \$1 $10x ${1} \$12 $_ $a $"),
            ("--shell $1é $2-", r"--shell $1é \$2-"),
        ] {
            assert_eq!(guard_positions(step), expected);
        }
    }

    #[test]
    fn milliseconds_become_seconds() {
        for (milliseconds, expected) in [(1, "0.001"), (50, "0.05"), (1000, "1"), (1500, "1.5")] {
            assert_eq!(seconds(milliseconds), expected);
        }
    }
}
