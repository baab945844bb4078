/// How a tool ended: the table of mn-exit(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0: done, and the answer is yes.
    Success,
    /// 1: worked, and the answer is no.
    No,
    /// 2: the command line, the job, a dictionary or a message is wrong.
    Wrong,
    /// 3: the lab failed.
    Lab,
    /// 124: time ran out.
    Timeout,
    /// 128+N: ended by signal N.
    Signal(i32),
}

impl Status {
    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::No => 1,
            Self::Wrong => 2,
            Self::Lab => 3,
            Self::Timeout => 124,
            Self::Signal(signal) => 128 + u8::try_from(signal & 0x7f).unwrap_or(0),
        }
    }

    /// The status with this number, as it stands in an `end` message; an unknown number is `Lab`.
    pub fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::No,
            2 => Self::Wrong,
            124 => Self::Timeout,
            129..=255 => Self::Signal((code - 128) as i32),
            _ => Self::Lab,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn every_status_survives_its_number() {
        for status in [Status::Success, Status::No, Status::Wrong, Status::Lab, Status::Timeout, Status::Signal(15)] {
            assert_eq!(Status::from_code(status.code().into()), status);
        }
        assert_eq!(Status::Signal(15).code(), 143);
    }

    #[test]
    fn an_unknown_number_is_the_labs_fault() {
        assert_eq!(Status::from_code(77), Status::Lab);
    }
}
