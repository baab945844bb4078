//! What the tests of several tools share: where the tools are, running one, and looking at what it wrote.

pub mod broker;
pub mod console;
pub mod random;
pub mod running;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A tool that was built with the tests: `target/PROFILE/NAME`.
///
/// # Panics
/// When it was not built: `cargo build --workspace` first.
pub fn tool_path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let built = test.ancestors().nth(2).expect("a test is in target/PROFILE/deps").join(name);
    assert!(built.exists(), "'{}' is not built: run 'cargo build --workspace' first", built.display());
    built
}

/// A command for a tool, without the variables that name a run.
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(tool_path(name));
    for variable in ["MN_RUNDIR", "MN_SOCKET", "MN_MEMBER"] {
        command.env_remove(variable);
    }
    command
}

/// Whether this user may make the namespaces that these options of unshare(1) name. Where not, says that the current
/// test is not run, and why.
///
/// # Panics
/// When there is no unshare(1).
pub fn may_unshare(options: &[&str]) -> bool {
    let output = Command::new("unshare").args(options).arg("true").output().expect("unshare runs");
    if !output.status.success() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        not_run(&test, &String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

/// Runs the rest of the test `name` in a network namespace of its own, where only loopback is; a test whose user may make
/// none is not run.
///
/// # Panics
/// When the test does.
pub fn in_namespace(name: &str, body: fn()) {
    const INSIDE: &str = "PUMICE_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("ip runs");
        assert!(up.success(), "there is no loopback");
        return body();
    }
    let options = [as_root(), &["--net", "--mount"]].concat();
    if !may_unshare(&options) {
        return;
    }
    let output = Command::new("unshare")
        .args(options)
        .arg(std::env::current_exe().expect("a test knows its own path"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("unshare runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Says that a test is not run, and why, on standard error.
pub fn not_run(test: &str, reason: &str) {
    let reason: Vec<&str> = reason.lines().collect();
    // Not by a macro: the harness would keep what a test says that passes.
    let _ = std::io::stderr().write_all(format!("{test}: not run: {}\n", reason.join("; ")).as_bytes());
}

/// The options of unshare(1) that make an ordinary user the root of the namespaces, and change nothing for root.
pub fn as_root() -> &'static [&'static str] {
    if nix::unistd::geteuid().is_root() { &[] } else { &["--map-root-user"] }
}

/// A file of tests/data.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// What a finished tool left behind, as text.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status; a signal counts as 128 and its number.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let status = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
        Self { status: status.expect("the tool has ended"), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs a command to its end with `input` on its standard input.
///
/// # Panics
/// When it cannot be run.
pub fn run(command: &mut Command, input: &[u8]) -> Outcome {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let mut stdin = child.stdin.take().expect("a pipe was asked for");
    let input = input.to_vec();
    // A tool that ends before it has read everything is no failure of the test.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the command ends");
    writer.join().expect("the writer ends");
    output.into()
}
