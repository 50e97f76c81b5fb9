//! How things are addressed: `acme`, `acme/crm`, `acme/crm/41`.
//!
//! Not a URL. One parser for all of them; each command says how deep it wants to go, and an address of
//! another depth is told apart from a name of a wrong form.

use std::fmt;
use std::str::FromStr;

use crate::model::{AccountName, EndpointName, EventId, Offset};

/// Where a thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `acme`: an account.
    Account(AccountName),
    /// `acme/crm`: an endpoint of an account.
    Endpoint(AccountName, EndpointName),
    /// `acme/crm/41`: the delivery of an account's offset to an endpoint.
    Delivery(AccountName, EndpointName, Offset),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let account = parts.next().unwrap_or_default();
        let account = AccountName::parse(account).map_err(|refusal| refusal.to_string())?;
        let Some(endpoint) = parts.next() else { return Ok(Self::Account(account)) };
        let endpoint = EndpointName::parse(endpoint).map_err(|refusal| refusal.to_string())?;
        let Some(offset) = parts.next() else { return Ok(Self::Endpoint(account, endpoint)) };
        let offset = parse_offset(offset)?;
        match parts.next() {
            None => Ok(Self::Delivery(account, endpoint, offset)),
            Some(_) => Err("an address has at most three parts: ACCOUNT/ENDPOINT/OFFSET".to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(formatter, "{account}"),
            Self::Endpoint(account, endpoint) => write!(formatter, "{account}/{endpoint}"),
            Self::Delivery(account, endpoint, offset) => write!(formatter, "{account}/{endpoint}/{offset}"),
        }
    }
}

/// An address that must be an endpoint's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointAddress {
    /// The account.
    pub(crate) account: AccountName,
    /// Its endpoint.
    pub(crate) endpoint: EndpointName,
}

impl EndpointAddress {
    /// Returns the path of the API, without what stands before every path.
    pub(crate) fn path(&self) -> String {
        format!("/accounts/{}/endpoints/{}", self.account, self.endpoint)
    }
}

impl FromStr for EndpointAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Address::Endpoint(account, endpoint) => Ok(Self { account, endpoint }),
            Address::Account(_) | Address::Delivery(..) => {
                Err("an endpoint is addressed ACCOUNT/ENDPOINT, such as acme/crm".to_owned())
            }
        }
    }
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.account, self.endpoint)
    }
}

/// An address that must be a delivery's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryAddress {
    /// The endpoint.
    pub(crate) endpoint: EndpointAddress,
    /// The event's place in its account's log.
    pub(crate) offset: Offset,
}

impl FromStr for DeliveryAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Address::Delivery(account, endpoint, offset) => {
                Ok(Self { endpoint: EndpointAddress { account, endpoint }, offset })
            }
            Address::Account(_) | Address::Endpoint(..) => {
                Err("a delivery is addressed ACCOUNT/ENDPOINT/OFFSET, such as acme/crm/41".to_owned())
            }
        }
    }
}

impl fmt::Display for DeliveryAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.endpoint, self.offset)
    }
}

/// An address that must be an account's or one of its endpoints'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountOrEndpoint {
    /// The account.
    pub(crate) account: AccountName,
    /// Its endpoint, where one was named.
    pub(crate) endpoint: Option<EndpointName>,
}

impl FromStr for AccountOrEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Address::Account(account) => Ok(Self { account, endpoint: None }),
            Address::Endpoint(account, endpoint) => Ok(Self { account, endpoint: Some(endpoint) }),
            Address::Delivery(..) => Err("expected ACCOUNT or ACCOUNT/ENDPOINT, such as acme or acme/crm".to_owned()),
        }
    }
}

impl fmt::Display for AccountOrEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(formatter, "{}/{endpoint}", self.account),
            None => write!(formatter, "{}", self.account),
        }
    }
}

/// An event: `acme/evt_01JNB4Z6Q8` by its id, `acme/@41` by its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventAddress {
    /// The account.
    pub(crate) account: AccountName,
    /// The event as the API's path names it.
    pub(crate) event: String,
}

impl FromStr for EventAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (account, event) = split_member(text, "an event is addressed ACCOUNT/ID or ACCOUNT/@OFFSET")?;
        match event.strip_prefix('@') {
            Some(offset) => drop(parse_offset(offset)?),
            None => drop(EventId::parse(event).map_err(|refusal| refusal.to_string())?),
        }
        Ok(Self { account, event: event.to_owned() })
    }
}

/// A job of an account: `acme/1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobAddress {
    /// The account.
    pub(crate) account: AccountName,
    /// The job's id.
    pub(crate) job: String,
}

impl FromStr for JobAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (account, job) = split_member(text, "a job is addressed ACCOUNT/ID")?;
        let has_form = job.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !has_form {
            return Err("a job's id has only the characters A-Z a-z 0-9 _ -".to_owned());
        }
        Ok(Self { account, job: job.to_owned() })
    }
}

impl fmt::Display for JobAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.account, self.job)
    }
}

fn split_member<'a>(text: &'a str, form: &str) -> Result<(AccountName, &'a str), String> {
    match text.split_once('/') {
        Some((account, member)) if !member.is_empty() => {
            Ok((AccountName::parse(account).map_err(|refusal| refusal.to_string())?, member))
        }
        Some(_) | None => Err(form.to_owned()),
    }
}

fn parse_offset(text: &str) -> Result<Offset, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(offset) if is_number && (1..=crate::model::limits::OFFSET_MAX).contains(&offset) => Ok(Offset(offset)),
        _ => Err(format!("an offset is a whole number from 1 to 2^53-1, not {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AccountOrEndpoint, Address, DeliveryAddress, EndpointAddress, EventAddress, JobAddress};

    #[test]
    fn an_address_has_one_two_or_three_parts() {
        for good in ["acme", "acme/crm", "acme/crm/41", "a@b.c/d+e/1", "9/9/9"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "/",
            "acme/",
            "/crm",
            "acme//41",
            "acme/crm/",
            "acme/crm/x",
            "acme/crm/0",
            "acme/crm/+1",
            "a/b/1/2",
            "_operator",
            "acme/test",
            "acme/crm/9007199254740992",
            "a b",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_command_says_how_deep_it_goes() {
        assert!("acme/crm".parse::<EndpointAddress>().is_ok());
        assert!("acme".parse::<EndpointAddress>().unwrap_err().contains("ACCOUNT/ENDPOINT"));
        assert!("acme/crm/41".parse::<EndpointAddress>().is_err());
        assert!("acme/crm/41".parse::<DeliveryAddress>().is_ok());
        assert!("acme/crm".parse::<DeliveryAddress>().unwrap_err().contains("ACCOUNT/ENDPOINT/OFFSET"));
        assert!("acme".parse::<AccountOrEndpoint>().unwrap().endpoint.is_none());
        assert!("acme/crm".parse::<AccountOrEndpoint>().unwrap().endpoint.is_some());
        assert!("acme/crm/41".parse::<AccountOrEndpoint>().is_err());
        assert_eq!("acme/crm".parse::<EndpointAddress>().unwrap().path(), "/accounts/acme/endpoints/crm");
    }

    #[test]
    fn an_event_is_named_by_id_or_offset_and_a_job_by_id() {
        assert_eq!("acme/evt_1".parse::<EventAddress>().unwrap().event, "evt_1");
        assert_eq!("acme/@41".parse::<EventAddress>().unwrap().event, "@41");
        assert_eq!("acme/41".parse::<EventAddress>().unwrap().event, "41", "digits alone are an id");
        for bad in ["acme", "acme/", "acme/@", "acme/@x", "acme/@0", "acme/a.b", "acme/a/b"] {
            assert!(bad.parse::<EventAddress>().is_err(), "{bad}");
        }
        assert_eq!("acme/job_1".parse::<JobAddress>().unwrap().to_string(), "acme/job_1");
        for bad in ["acme", "acme/", "acme/a/b", "acme/..", "acme/a?b"] {
            assert!(bad.parse::<JobAddress>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_written_as_it_was(text in "[a-z_/@.0-9]{0,12}") {
            if let Ok(address) = text.parse::<Address>() {
                let canonical = address.to_string();
                prop_assert_eq!(canonical.parse::<Address>().unwrap(), address);
            }
        }
    }
}
