//! The portmapper (RFC 1833, version 2), for clients that ask where MOUNT and NFS are.
//!
//! It knows two programs, which nobody can change: NULL, GETPORT and DUMP are answered, SET, UNSET and CALLIT
//! are not there.

/// The portmapper's own port, TCP and UDP.
pub const PORT: u16 = 111;

/// The longest request looked at, in bytes: a call with the largest credential and verifier has less.
pub const LONGEST_REQUEST: usize = 1024;

const PROGRAM: u32 = 100_000;
const VERSION: u32 = 2;
const TCP: u32 = 6;
/// Longest body of a credential or verifier (RFC 5531, 8.2).
const LONGEST_AUTH: u32 = 400;

/// A program and version that is served over TCP at a port.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub program: u32,
    pub version: u32,
    pub port: u16,
}

/// The answer to a call, both without a record mark; `None` for what is not worth an answer.
pub fn answer(request: &[u8], services: &[Service]) -> Option<Vec<u8>> {
    let mut words = Words(request);
    let xid = words.next()?;
    let call = words.next()?;
    let rpc_version = words.next()?;
    if call != 0 {
        return None;
    }
    if rpc_version != 2 {
        // Denied: versions 2 to 2.
        return Some(bytes(&[xid, 1, 1, 0, 2, 2]));
    }
    let (program, version, procedure) = (words.next()?, words.next()?, words.next()?);
    words.skip_auth()?;
    words.skip_auth()?;
    let accepted = |status: u32, body: &[u32]| {
        let mut reply = bytes(&[xid, 1, 0, 0, 0, status]);
        reply.extend(bytes(body));
        Some(reply)
    };
    match (program, version, procedure) {
        (PROGRAM, VERSION, 0) => accepted(0, &[]),
        (PROGRAM, VERSION, 3) => {
            let Some((wanted, _)) = words.mapping() else { return accepted(4, &[]) };
            let port = services.iter().find(|service| wanted == [service.program, service.version, TCP]);
            accepted(0, &[port.map_or(0, |service| service.port.into())])
        }
        (PROGRAM, VERSION, 4) => {
            let entry = |service: &Service| [1, service.program, service.version, TCP, service.port.into()];
            let list: Vec<u32> = services.iter().flat_map(entry).chain([0]).collect();
            accepted(0, &list)
        }
        (PROGRAM, VERSION, _) => accepted(3, &[]),
        (PROGRAM, ..) => accepted(2, &[VERSION, VERSION]),
        _ => accepted(1, &[]),
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Reads XDR words off the front.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }

    fn skip_auth(&mut self) -> Option<()> {
        let _flavor = self.next()?;
        let length = self.next()?;
        if length > LONGEST_AUTH {
            return None;
        }
        self.0 = self.0.get(length.next_multiple_of(4) as usize..)?;
        Some(())
    }

    fn mapping(&mut self) -> Option<([u32; 3], u32)> {
        Some(([self.next()?, self.next()?, self.next()?], self.next()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: [Service; 1] = [Service { program: 100_003, version: 3, port: 2049 }];

    fn call(program: u32, version: u32, procedure: u32, arguments: &[u32]) -> Vec<u8> {
        let mut words = vec![7, 0, 2, program, version, procedure, 0, 0, 0, 0];
        words.extend(arguments);
        bytes(&words)
    }

    fn ask(request: &[u8]) -> Option<Vec<u32>> {
        let reply = answer(request, &SERVICES)?;
        Some(reply.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect())
    }

    #[test]
    fn getport_gives_the_port_of_a_program_served_over_tcp() {
        assert_eq!(ask(&call(PROGRAM, 2, 3, &[100_003, 3, 6, 0])), Some(vec![7, 1, 0, 0, 0, 0, 2049]));
        assert_eq!(ask(&call(PROGRAM, 2, 3, &[100_003, 3, 17, 0])), Some(vec![7, 1, 0, 0, 0, 0, 0]));
        assert_eq!(ask(&call(PROGRAM, 2, 3, &[100_021, 4, 6, 0])), Some(vec![7, 1, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn dump_lists_what_is_there() {
        let list = vec![7, 1, 0, 0, 0, 0, 1, 100_003, 3, 6, 2049, 0];
        assert_eq!(ask(&call(PROGRAM, 2, 4, &[])), Some(list));
    }

    #[test]
    fn other_versions_learn_which_one_there_is() {
        assert_eq!(ask(&call(PROGRAM, 4, 3, &[])), Some(vec![7, 1, 0, 0, 0, 2, 2, 2]));
    }

    #[test]
    fn nobody_can_register() {
        assert_eq!(ask(&call(PROGRAM, 2, 1, &[1, 1, 6, 1])), Some(vec![7, 1, 0, 0, 0, 3]));
    }

    #[test]
    fn another_program_is_not_here() {
        assert_eq!(ask(&call(100_003, 3, 0, &[])), Some(vec![7, 1, 0, 0, 0, 1]));
    }

    #[test]
    fn a_cut_or_foreign_message_gets_no_answer() {
        let whole = call(PROGRAM, 2, 3, &[100_003, 3, 6, 0]);
        for length in 0..40 {
            assert_eq!(ask(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(ask(&bytes(&[7, 1, 0, 0, 0, 0])), None, "a reply");
        assert_eq!(ask(&bytes(&[7, 0, 2, PROGRAM, 2, 0, 0, 401, 0])), None, "a credential too long");
    }
}
