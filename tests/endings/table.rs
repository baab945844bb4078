//! The table of mn-exit(7): what ended a run, what was said, and the status.

use crate::case::{Case, Row};
use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

const BEGIN: &str = ".\\\" endings: what follows is made by 'make endings-table'\n";
const END: &str = ".\\\" endings: end\n";

/// One case of each row.
pub fn one_of_each(cases: Vec<Case>) -> Vec<Case> {
    let mut chosen: Vec<Case> = Vec::new();
    for case in cases {
        if !chosen.iter().any(|other| other.row == case.row) {
            chosen.push(case);
        }
    }
    chosen
}

/// The rows as mdoc.
pub fn render(rows: &[Row]) -> String {
    let said = |row: &Row| row.message.split(' ').map(plain).collect::<Vec<_>>().join(" ");
    rows.iter().map(|row| format!(".It {} : {}\n.Dl {}\n", row.cause, row.status, said(row))).collect()
}

/// A word that is no macro.
fn plain(word: &str) -> String {
    let is_macro = matches!(word.as_bytes(), [b'A'..=b'Z', b'a'..=b'z', rest @ ..] if rest.len() <= 1);
    if is_macro { format!("\\&{word}") } else { word.to_owned() }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../man/mn-exit.7")
}

/// What stands between the marks of the page now.
pub fn of_page() -> Result<String> {
    let text = fs::read_to_string(page())?;
    let (_, rest) = text.split_once(BEGIN).ok_or_else(no_marks)?;
    Ok(rest.split_once(END).ok_or_else(no_marks)?.0.to_owned())
}

/// Puts the rows between the marks of the page.
pub fn into_page(rows: &[Row]) -> Result<()> {
    let text = fs::read_to_string(page())?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(no_marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(no_marks)?;
    fs::write(page(), format!("{before}{BEGIN}{}{END}{after}", render(rows)))
}

fn no_marks() -> Error {
    Error::other("mn-exit(7) has no marks of the table of endings")
}
