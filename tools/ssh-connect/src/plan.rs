use crate::address::Source;
use mn_cli::{Error, Result};
use mn_msg::Role;
use mn_msg::role::{Login, Overlay, Start};
use std::time::Duration;

/// What a role message asks of this stage.
pub struct Plan<'a> {
    /// This member's job id.
    pub job_id: &'a str,
    /// The delayed start, where there is one.
    pub start: Option<&'a Start>,
    /// Where the board's address comes from,
    pub source: Source<'a>,
    /// and how long it may take.
    pub call_timeout: Duration,
    /// The limit of the deployment, up to the address.
    pub deploy_timeout: Duration,
    /// The limit of all that is done on the board.
    pub boot_timeout: Duration,
    /// How to log in.
    pub login: &'a Login,
    /// What is copied, where the role's tests need it,
    pub overlay: Option<&'a Overlay>,
    /// and its path on the board.
    pub overlay_path: String,
}

impl<'a> Plan<'a> {
    /// Reads a role message.
    ///
    /// # Errors
    /// Status 2, with the stage that should have provided what is missing.
    pub fn of(role: &'a Role) -> Result<Self> {
        let facts = role.facts();
        let wrong = |what: &str| Error::wrong(format_args!("cannot reach the board of role '{}': {what}", facts.role));
        let host = facts.host.as_deref().ok_or_else(|| wrong("it is not a secondary connection"))?;
        let device = facts.device.as_ref().ok_or_else(|| wrong("no dictionary was given to 'job-split --device'"))?;
        let deploy = role.deploy().filter(|deploy| deploy.to == "ssh").ok_or_else(|| wrong("no deploy 'to: ssh'"))?;
        let boot = role.boot().filter(|boot| boot.method == "ssh").ok_or_else(|| wrong("no boot 'method: ssh'"))?;
        let call = deploy
            .calls
            .iter()
            .find(|call| call.action == "prepare-scp-overlay" && call.request == "wait")
            .ok_or_else(|| wrong("no 'lava-wait' is bound to 'prepare-scp-overlay'"))?;
        let named = boot.host_key.as_deref().filter(|key| call.data.contains_key(*key));
        let key = named.or_else(|| call.data.keys().next().map(String::as_str));
        if facts.overlay.is_none() && role.needs_overlay() {
            return Err(wrong("there is no overlay: 'overlay-pack' comes before"));
        }
        Ok(Self {
            job_id: &facts.job_id,
            start: facts.start.as_ref(),
            source: Source {
                host,
                message: &call.message_id,
                key: key.ok_or_else(|| wrong("the bound 'lava-wait' picks up nothing"))?,
            },
            call_timeout: Duration::from_secs(call.timeout),
            deploy_timeout: Duration::from_secs(deploy.timeout),
            boot_timeout: Duration::from_secs(boot.timeout),
            login: &device.ssh,
            overlay: facts.overlay.as_ref(),
            overlay_path: overlay_path(&facts.job_id, &deploy.overlay_level)
                .ok_or_else(|| wrong("'overlay_level' is not a level"))?,
        })
    }
}

/// `/<job id>-overlay-<level>.tar.gz`, which tests look for; safe in a shell's command.
fn overlay_path(job_id: &str, level: &str) -> Option<String> {
    let plain = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| format!("/{job_id}-overlay-{level}.tar.gz"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlays_path_has_the_level_and_nothing_a_shell_reads() {
        assert_eq!(overlay_path("74585", "1.1.4").as_deref(), Some("/74585-overlay-1.1.4.tar.gz"));
        assert_eq!(overlay_path("74585", "1;reboot"), None);
        assert_eq!(overlay_path("74585", ""), None);
    }
}
