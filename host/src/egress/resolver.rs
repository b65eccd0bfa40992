//! From a host to the addresses that may be connected to. A name is looked up
//! once, and every address that it stands for is checked: one that may not be
//! reached refuses them all, for that is how a name is bent towards this network.

use super::Refused;
use super::address::Reach;
use super::permission::Checked;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// More addresses of one name are not tried.
const ADDRESSES_MAX: usize = 4;

/// The addresses of a name.
#[cfg(test)]
type Find = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// Who knows the addresses of names.
pub(super) enum Resolver {
    /// The system.
    System,
    /// A test.
    #[cfg(test)]
    Fixed(Box<Find>),
}

impl Resolver {
    /// Where to connect, all of it checked.
    pub(super) async fn addresses(
        &self,
        checked: &Checked,
        reach: fn(IpAddr) -> Reach,
    ) -> Result<Vec<SocketAddr>, Refused> {
        let found = match literal(&checked.host) {
            Some(address) => vec![address],
            // Never asked of anybody: it is this machine.
            None if checked.host == "localhost" => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            None => self.look_up(checked).await?,
        };
        for address in &found {
            permit(*address, checked, reach)?;
        }
        let addresses = found.into_iter().take(ADDRESSES_MAX);
        Ok(addresses.map(|address| SocketAddr::new(address, checked.port)).collect())
    }

    async fn look_up(&self, checked: &Checked) -> Result<Vec<IpAddr>, Refused> {
        let host = checked.host.as_str();
        let found: Vec<IpAddr> = match self {
            Self::System => {
                let found = tokio::net::lookup_host((host, checked.port)).await;
                let found = found.map_err(|error| {
                    let remedy = "check the name, and that this machine can look names up";
                    Refused::unreachable(format!("{host:?} cannot be looked up: {error}; {remedy}"))
                })?;
                found.map(|address| address.ip()).collect()
            }
            #[cfg(test)]
            Self::Fixed(find) => find(host),
        };
        if found.is_empty() {
            return Err(Refused::unreachable(format!("{host:?} has no address; check the name")));
        }
        Ok(found)
    }
}

/// Refuses an address that this request may not reach.
pub(super) fn permit(
    address: IpAddr,
    checked: &Checked,
    reach: fn(IpAddr) -> Reach,
) -> Result<(), Refused> {
    let place = checked.place();
    let via = if literal(&checked.host).is_some() {
        String::new()
    } else {
        format!(" leads to {address}, which")
    };
    match reach(address) {
        Reach::Public => Ok(()),
        Reach::Private if checked.is_named_by_operator => Ok(()),
        Reach::Private => {
            let shown = SocketAddr::new(address, checked.port);
            Err(Refused::denied(format!(
                "{place}{via} is in this host's own network; if that is meant, use the address in \
                 the URL and start the server with --grant-http {}://{shown}",
                checked.scheme.name()
            )))
        }
        Reach::Never => Err(Refused::denied(format!(
            "{place}{via} is no address of a single host on the internet; use another"
        ))),
    }
}

/// The address that a host in its normal form is, if it is one.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}
