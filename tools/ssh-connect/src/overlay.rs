use crate::command;
use crate::ssh::Ssh;
use crate::watch::Watch;
use mn_cli::{Cannot, Deadline, Error, Result};
use mn_msg::role::Overlay;
use std::fs::File;

/// Copies the overlay to `path` on the board, checks its digest there, gives it its name and unpacks it in `/`.
///
/// # Errors
/// Status 3, with what the board said.
pub fn install(ssh: &mut Ssh, overlay: &Overlay, path: &str, watch: &mut Watch, deadline: Deadline) -> Result<()> {
    let file = &overlay.file;
    let input = File::open(file).cannot(format_args!("open '{file}'"))?;
    let what = format!("copy '{file}' to '{path}' on the board");
    let copy = command::run(ssh, watch, deadline, &format!("cat >{path}.part && sha256sum {path}.part"), input)
        .map_err(|trouble| trouble.while_doing(&what))?;
    succeeded(&copy, &what)?;
    if !has_digest(&copy.output, &overlay.sha256) {
        return Err(Error::lab(format_args!(
            "cannot {what}: its sha256 there is not {} but '{}'",
            overlay.sha256,
            first_line(&copy.output)
        )));
    }
    let what = format!("unpack '{path}' on the board");
    let unpack =
        command::run(ssh, watch, deadline, &format!("mv {path}.part {path} && tar -C / -xzf {path}"), std::io::empty())
            .map_err(|trouble| trouble.while_doing(&what))?;
    succeeded(&unpack, &what)
}

fn succeeded(answer: &command::Answer, what: &str) -> Result<()> {
    match answer.status {
        0 => Ok(()),
        status => {
            Err(Error::lab(format_args!("cannot {what}: exit status {status}, '{}'", first_line(&answer.output))))
        }
    }
}

/// Whether a line of the output begins with the digest, as sha256sum writes it.
fn has_digest(output: &str, sha256: &str) -> bool {
    output
        .lines()
        .any(|line| line.split_ascii_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(sha256)))
}

fn first_line(output: &str) -> &str {
    output.trim_start().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_among_what_a_login_prints() {
        assert!(has_digest("Welcome!\nab12  /1-overlay-1.1.4.tar.gz.part\n", "AB12"));
        assert!(!has_digest("ab123  /x\n", "ab12"));
        assert!(!has_digest("", "ab12"));
    }

    #[test]
    fn the_first_line_says_why() {
        assert_eq!(first_line("\ntar: short\ntar: giving up\n"), "tar: short");
        assert_eq!(first_line(""), "");
    }
}
