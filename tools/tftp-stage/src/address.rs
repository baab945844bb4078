//! The dispatcher's address: the one the board can reach this machine under.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use mn_cli::{Error, Result};

/// Nobody's address (TEST-NET-1, RFC 5737): the route to it is the default route.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The address given, else the one this machine has on its way to the board, else the one of its default route.
///
/// `target` is the board's own address, where the dictionary knows it.
///
/// # Errors
/// Status 2 for a target that is no IPv4 address, 3 when there is no route.
pub fn dispatcher(given: Option<Ipv4Addr>, target: Option<&str>) -> Result<Ipv4Addr> {
    if let Some(address) = given {
        return Ok(address);
    }
    let target = target.map(parse).transpose()?;
    source_towards(target.unwrap_or(ELSEWHERE)).ok_or_else(|| {
        let whither =
            target.map_or("no default route".to_owned(), |target| format!("no route to the board at {target}"));
        Error::lab(format_args!("cannot tell this machine's address for the board: {whither}: give --dispatcher-ip"))
    })
}

fn parse(target: &str) -> Result<Ipv4Addr> {
    target
        .parse()
        .map_err(|_| Error::wrong(format_args!("cannot use the board's address '{target}': not an IPv4 address")))
}

/// The source address of the route to `target`; nothing is sent.
fn source_towards(target: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // The port only has to be none of the few that mean something.
    socket.connect((target, 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => Some(address),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_address_needs_no_route() {
        let given = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(dispatcher(Some(given), Some("not an address")).unwrap(), given);
    }

    #[test]
    fn a_board_on_this_machine_reaches_it_under_its_own_address() {
        assert_eq!(dispatcher(None, Some("127.0.0.5")).unwrap(), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn a_name_is_no_address() {
        let error = dispatcher(None, Some("mustang")).unwrap_err();
        assert_eq!(error.to_string(), "cannot use the board's address 'mustang': not an IPv4 address");
    }
}
