//! `auto_login`: how to log in on the console.

use crate::findings::Findings;
use crate::read::{Keys, list, pattern, require_text, text};
use mn_yaml::Mapping;

/// `auto_login`.
#[derive(Clone, Debug)]
pub struct Login {
    /// The getty's prompt.
    pub prompt: String,
    /// The account.
    pub username: String,
    /// What the password is asked with, and the password.
    pub password: Option<(String, String)>,
    /// Lines to type once logged in.
    pub commands: Vec<String>,
}

/// Reads it.
pub fn read(map: &Mapping, findings: &mut Findings) -> Option<Login> {
    let known = ["login_commands", "login_prompt", "password", "password_prompt", "username"];
    Keys { of: "'auto_login'", known: &known, unsupported: &[] }.check(map, findings);
    let prompt = require_text(map, "login_prompt", findings).and(pattern(map, "login_prompt", findings));
    let username = require_text(map, "username", findings);
    let (asked, password) = (pattern(map, "password_prompt", findings), text(map, "password", findings));
    if asked.is_some() != password.is_some() {
        findings.error(map.position(), "'password' and 'password_prompt' come together: give both");
    }
    let commands = list(map, "login_commands", findings);
    if commands.as_ref().is_some_and(Vec::is_empty) {
        findings.error(map.position(), "'login_commands' is empty");
    }
    Some(Login {
        prompt: prompt?,
        username: username?,
        password: asked.zip(password),
        commands: commands.unwrap_or_default(),
    })
}
