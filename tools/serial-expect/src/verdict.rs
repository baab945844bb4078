//! How a role ended: its exit status and its last record.

use mn_cli::{Error, Result, Status};
use mn_console::results::{Record, lava};
use mn_console::script::Fault;

/// The error of a dialogue or a stage that failed.
pub fn error(fault: Fault, text: &str) -> Error {
    let status = match fault {
        Fault::No | Fault::Dead => Status::No,
        Fault::Wrong => Status::Wrong,
        Fault::Lab => Status::Lab,
        Fault::Timeout => Status::Timeout,
    };
    Error::new(status, text)
}

/// The record `lava/job`, with LAVA's names for what went wrong. A failed test is no failure of the job.
pub fn job_record(outcome: &Result<()>) -> Record {
    let Err(error) = outcome else { return lava("job", "pass") };
    let mut record = lava("job", "fail");
    record.insert("error_msg".into(), error.to_string().into());
    record.insert("error_type".into(), error_type(error.status()).into());
    record
}

fn error_type(status: Status) -> &'static str {
    match status {
        Status::Success | Status::No => "Test",
        Status::Wrong => "Job",
        Status::Lab => "Infrastructure",
        Status::Timeout => "LAVATimeout",
        Status::Signal(_) => "Canceled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_job_says_why_in_lavas_words() {
        let outcome = Err(error(Fault::Lab, "the bootloader failed"));
        let record = serde_json::to_string(&job_record(&outcome)).unwrap();
        let keys = r#""definition":"lava","case":"job","result":"fail","error_msg":"the bootloader failed""#;
        assert_eq!(record, format!("{{{keys},\"error_type\":\"Infrastructure\"}}"));
        assert_eq!(
            serde_json::to_string(&job_record(&Ok(()))).unwrap(),
            r#"{"definition":"lava","case":"job","result":"pass"}"#
        );
    }
}
