//! job-split --check on the jobs of tests/data/check: each says in its head what is to be said of it.

use pumice_tests::{data, run, tool};

/// The status and the diagnostics that the head of a job announces.
fn announced(text: &str) -> (i32, Vec<String>) {
    let mut head = text.lines().map_while(|line| line.strip_prefix("# ")).skip(1);
    let status = head.next().and_then(|line| line.strip_prefix("status ")).expect("a status");
    let lines = head.map(|line| {
        let (place, rest) = line.split_once(' ').expect("a place");
        format!("{place}: {}", rest.strip_prefix("error: ").unwrap_or(rest))
    });
    (status.parse().expect("a number"), lines.collect())
}

/// The diagnostics about a job, without its name.
fn told(stderr: &str, name: &str) -> Vec<String> {
    let headline = |line: &str| {
        let rest = line.strip_prefix("job-split: ")?;
        let (level, rest) = match rest.split_once(name)? {
            ("", rest) => ("", rest),
            (level, rest) => (level, rest),
        };
        let mut parts = rest.strip_prefix(':')?.splitn(3, ':');
        let (line, column, text) = (parts.next()?, parts.next()?, parts.next()?);
        Some(format!("{line}:{column}: {level}{}", text.trim_start()))
    };
    stderr.lines().filter_map(headline).collect()
}

#[test]
fn every_rule_is_told_where_it_is_broken_and_nowhere_else() {
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(data("check")).expect("the jobs are there") {
        let path = entry.expect("a job").path();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let (status, expected) = announced(&text);
        let device = format!("mustang={}", data("devices/qemu-mustang.yaml").display());
        let mut command = tool("job-split");
        command.arg("--check").arg(&path);
        // One for each board of the largest job.
        command.args(["--device", &device, "--device", &device, "--device", &device]);
        let outcome = run(&mut command, b"");
        let found = told(&outcome.stderr, &path.display().to_string());
        let differs = found.iter().any(|line| !expected.contains(line)) || found.len() != expected.len();
        if outcome.status != status || differs {
            let name = path.file_name();
            failed.push(format!(
                "{name:?}: status {}\n{}\nexpected {status}\n{}\n",
                outcome.status,
                found.join("\n"),
                expected.join("\n")
            ));
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(count >= 30, "{count}");
}

/// A job of tests/data/check as it is drawn.
fn drawn(drawing: &str, job: &str) -> String {
    let outcome = run(tool("job-split").arg(drawing).arg(data(&format!("check/{job}.yaml"))), b"");
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.stdout
}

#[test]
fn the_roles_are_drawn_side_by_side() {
    let expected = "\
host              guest (2)
send ipv4
send lava_start
                  start <- host
                  wait ipv4 <- host
== sync done ======================
";
    assert_eq!(drawn("--flow", "right-one-sync"), expected);
    let expected = "\
a               b
STOPS: wait a
                STOPS: wait b
";
    assert_eq!(drawn("--flow=text", "messages-in-a-circle"), expected);
}

#[test]
fn the_roles_are_drawn_for_documents() {
    let expected = "\
sequenceDiagram
    participant r0 as host
    participant r1 as guest (2)
    r0-)r0: send ipv4
    r0-)r0: send lava_start
    r0->>r1: lava_start
    r0->>r1: ipv4
    Note over r0,r1: sync done
";
    assert_eq!(drawn("--flow=mermaid", "right-one-sync"), expected);
    let svg = drawn("--flow=svg", "right-one-sync");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("marker-end").count(), 2, "two messages arrive");
    assert_eq!(svg.matches("<rect").count(), 1, "one meeting");
}

#[test]
fn a_job_that_cannot_end_is_still_split_with_a_warning() {
    let job = data("check/messages-in-a-circle.yaml");
    let outcome = run(tool("job-split").args(["--format", "list"]).arg(&job), b"");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "1\ta\ttftp\n2\tb\ttftp\n"));
    let line = outcome.stderr.lines().find(|line| line.contains("deadlock")).expect("it is told");
    assert!(line.starts_with(&format!("job-split: warning: {}:", job.display())), "{line}");
}

#[test]
fn both_places_are_shown() {
    let job = data("check/messages-in-a-circle.yaml");
    let outcome = run(tool("job-split").arg("--check").arg(job), b"");
    let at = outcome.stderr.find("deadlock").expect("it is told");
    let shown: Vec<&str> = outcome.stderr[at..].lines().skip(1).take(7).collect();
    let expected = [
        "   |",
        "27 |           - lava-wait a",
        "   |             ^^^^^^^^^^^",
        "   |",
        "  ...",
        "40 |           - lava-wait b",
        "   |             ----------- 'b' stops here",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn definitions_of_a_work_tree_are_followed() {
    let tree = tempfile::tempdir().expect("a directory");
    let steps = "run: {steps: [lava-sync a]}\n";
    std::fs::write(tree.path().join("t.yaml"), steps).expect("it is written");
    let job = std::fs::read_to_string(data("check/definition-that-is-fetched-later.yaml")).expect("the job");
    let rewrite = format!("http://files.example/t.git=file://{}", tree.path().display());
    let check = |job: &str| run(tool("job-split").args(["--check", "--rewrite", &rewrite, "-"]), job.as_bytes());
    let outcome = check(&job);
    assert!(
        !outcome.stderr.contains("does not reach") && !outcome.stderr.contains("fetched later"),
        "{}",
        outcome.stderr
    );
    std::fs::write(tree.path().join("t.yaml"), "run: {steps: [ls]}\n").expect("it is written");
    let outcome = check(&job);
    assert!(outcome.stderr.contains("'host' waits in sync 'a', which 'guest' does not reach\n"), "{}", outcome.stderr);
    assert_eq!(outcome.status, 1);
}

#[test]
fn definitions_that_overlay_pack_has_fetched_are_followed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (tree, cache) = (scratch.path().join("tree"), scratch.path().join("cache"));
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"]).arg(&tree).args(arguments);
        assert!(command.status().expect("git runs").success(), "{arguments:?}");
    };
    std::fs::create_dir(&tree).expect("a directory");
    git(&["init", "--quiet"]);
    std::fs::write(tree.join("t.yaml"), "metadata: {name: t}\nrun: {steps: [lava-sync a]}\n").expect("it is written");
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=one"]);
    let job = std::fs::read_to_string(data("check/definition-that-is-fetched-later.yaml")).expect("the job");
    let rewrite = format!("http://files.example/t.git=file://{}", tree.display());
    let arguments = ["--rewrite", &rewrite, "--cache"];
    let messages = run(tool("job-split").args(["--rewrite", &rewrite, "-"]), job.as_bytes()).stdout;
    let mut pack = tool("overlay-pack");
    pack.arg("-o").arg(scratch.path()).arg("--cache").arg(&cache);
    assert_eq!(run(&mut pack, messages.as_bytes()).status, 0);
    // What is not committed is not what overlay-pack takes.
    std::fs::write(tree.join("t.yaml"), "run: {steps: [ls]}\n").expect("it is written");
    let check = |cache: &std::path::Path| {
        let mut command = tool("job-split");
        run(command.arg("--check").args(arguments).arg(cache).arg("-"), job.as_bytes())
    };
    let outcome = check(&cache);
    assert!(!outcome.stderr.contains("does not reach"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("fetched later"), "{}", outcome.stderr);
    let outcome = check(scratch.path());
    assert!(outcome.stderr.contains("'host' waits in sync 'a', which 'guest' does not reach\n"), "{}", outcome.stderr);
}
