use mn_cli::{Error, Result};
use mn_ipc::Sent;
use std::net::IpAddr;

/// Where the address is to be found.
#[derive(Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The member that runs on the board.
    pub host: &'a str,
    /// The id of its message.
    pub message: &'a str,
    /// The key in the message's data.
    pub key: &'a str,
}

/// Takes the address out of the messages that a wait gave; the host's alone counts.
///
/// # Errors
/// Status 2 when the host has sent no such message or key, or what it sent is no address.
pub fn pick(messages: &[Sent], source: &Source<'_>) -> Result<IpAddr> {
    let Source { host, message, key } = source;
    let sent = messages.iter().find(|sent| sent.from == *host);
    let data = &sent
        .ok_or_else(|| Error::wrong(format_args!("cannot use message '{message}': it is not from host {host}")))?
        .data;
    let value = data.get(*key).and_then(|value| value.as_str()).ok_or_else(|| {
        Error::wrong(format_args!("cannot use message '{message}' of host {host}: it has no '{key}'"))
    })?;
    value.parse().map_err(|_| {
        Error::wrong(format_args!("cannot use message '{message}' of host {host}: '{value}' is not an IP address"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'_> = Source { host: "7", message: "ipv4", key: "ipaddr" };

    fn sent(from: &str, key: &str, value: &str) -> Sent {
        let mut data = mn_ipc::Object::new();
        data.insert(key.into(), value.into());
        Sent { from: from.into(), data }
    }

    #[test]
    fn only_the_host_says_where_it_is() {
        let messages = [sent("8", "ipaddr", "10.0.0.8"), sent("7", "ipaddr", "10.0.0.7")];
        assert_eq!(pick(&messages, &SOURCE).unwrap().to_string(), "10.0.0.7");
        let error = pick(&messages[..1], &SOURCE).unwrap_err();
        assert_eq!(error.to_string(), "cannot use message 'ipv4': it is not from host 7");
    }

    #[test]
    fn a_message_without_a_usable_address_is_wrong() {
        for (key, value, reason) in
            [("ip", "10.0.0.7", "it has no 'ipaddr'"), ("ipaddr", "", "'' is not an IP address")]
        {
            let error = pick(&[sent("7", key, value)], &SOURCE).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot use message 'ipv4' of host 7: {reason}"));
        }
    }
}
