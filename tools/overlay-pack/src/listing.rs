//! What an archive would hold, for people.

use mn_cli::{Cannot, Result};
use std::fs;

use crate::tree::{Content, Member, Mode, Tree};

/// A line for each member: mode, size in bytes, name, and what a symbolic link says.
///
/// # Errors
/// Status 3 when a file cannot be looked at.
pub fn listing(tree: &Tree) -> Result<String> {
    let mut text = String::new();
    for (name, member) in tree.members() {
        let name = name.display();
        let line = match member {
            Member::Directory => format!("drwxr-xr-x {:>9} {name}/\n", 0),
            Member::Symlink(target) => format!("lrwxrwxrwx {:>9} {name} -> {}\n", 0, target.display()),
            Member::File(mode, content) => {
                let size = match content {
                    Content::Text(text) => text.len() as u64,
                    Content::OnDisk(file) => fs::metadata(file).cannot(format_args!("read '{name}'"))?.len(),
                };
                let mode = if *mode == Mode::Executable { "-rwxr-xr-x" } else { "-rw-r--r--" };
                format!("{mode} {size:>9} {name}\n")
            }
        };
        text += &line;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_member_has_its_line() {
        let mut tree = Tree::default();
        tree.text("a/b", "four").unwrap();
        tree.insert("a/c", Member::Symlink("b".into())).unwrap();
        tree.insert("a/d", Member::File(Mode::Executable, Content::Text(String::new()))).unwrap();
        let expected = "\
drwxr-xr-x         0 a/
-rw-r--r--         4 a/b
lrwxrwxrwx         0 a/c -> b
-rwxr-xr-x         0 a/d
";
        assert_eq!(listing(&tree).unwrap(), expected);
    }
}
