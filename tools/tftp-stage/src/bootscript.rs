//! A boot's commands as a script of iPXE's.

use mn_msg::Object;
use mn_msg::template;

/// The script's name, which is LAVA's, in the member's directory under TFTP.
pub const NAME: &str = "script.ipxe";

/// The script of these lines, with their placeholders filled in; a line goes with the file that it is for.
pub fn text(lines: &[String], staged: &Object) -> String {
    let lines = lines.iter().filter_map(|line| template::fill(line, staged));
    lines.fold("#!ipxe\n\n".to_owned(), |text, line| text + &line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_script_says_that_it_is_one_and_knows_the_files() {
        let staged = json!({"SERVER_IP": "10.0.0.1", "KERNEL": "7/kernel/vmlinuz", "RAMDISK": null});
        let lines = ["kernel tftp://{SERVER_IP}/{KERNEL} ${args}", "initrd {RAMDISK}", "boot"].map(str::to_owned);
        let script = "#!ipxe\n\nkernel tftp://10.0.0.1/7/kernel/vmlinuz ${args}\nboot\n";
        assert_eq!(text(&lines, staged.as_object().unwrap()), script);
    }
}
