//! Who is asking: the bearer token of a request, and what its holder may do.
//!
//! Not the store of tokens: that is behind [`Identify`], which `app` wires to `accounts`. A token's text goes
//! through here to that port and nowhere else; it is never part of a problem or of a log line.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::codes::Code;
use super::problem::Problem;
use crate::model::{AccountId, AccountName, Permission, Permissions, Timestamp, Who};

/// Knows whose a token is.
pub trait Identify: Send + Sync {
    /// Returns who holds this token; nobody where it is unknown, expired or removed.
    fn identify(&self, token: &str) -> Option<Identity>;
}

/// Who is asking. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// An operator, who may do everything on every account: with the token of the installation, or one made later.
    Operator(Option<Arc<TokenInfo>>),
    /// A token of one account.
    Account(Arc<AccountToken>),
}

/// What a token is called; never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The token's id.
    pub id: String,
    /// The name that a person gave it.
    pub name: String,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
}

/// A token of one account, and what it may do there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountToken {
    /// Its id, name and end.
    pub info: TokenInfo,
    /// The account that it is for.
    pub account: AccountId,
    /// The name of that account.
    pub account_name: AccountName,
    /// What it may do there.
    pub permissions: Permissions,
}

/// Finds out who sent a request.
///
/// # Errors
/// `unauthorized` where there is no token, or none that is known.
pub fn authenticate(headers: &HeaderMap, tokens: &(impl Identify + ?Sized)) -> Result<Identity, Problem> {
    let token = bearer_token(headers)?;
    tokens.identify(token).ok_or_else(|| {
        Problem::new(Code::Unauthorized).detail("the token is not known: it is mistyped, expired or removed")
    })
}

/// Returns the token of a request, as RFC 6750 has it in the header.
///
/// # Errors
/// `unauthorized`, saying what is there instead.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, Problem> {
    let refuse = |detail: &'static str| Problem::new(Code::Unauthorized).detail(detail);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| refuse("the header authorization is missing"))?;
    if values.next().is_some() {
        return Err(refuse("the header authorization is there more than once"));
    }
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(|| refuse("the header authorization must be Bearer, a space and the token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refuse("the header authorization has another scheme than Bearer"));
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse("the token is empty or has characters that no token has"));
    }
    Ok(token)
}

impl Identity {
    /// Returns whether this is an operator.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        matches!(self, Self::Operator(_))
    }

    /// Returns the author that a command by this identity has.
    #[must_use]
    pub fn who(&self) -> Who {
        let named = |info: &TokenInfo| Who::Token { id: info.id.clone(), name: info.name.clone() };
        match self {
            Self::Operator(None) => Who::Operator,
            Self::Operator(Some(info)) => named(info),
            Self::Account(token) => named(&token.info),
        }
    }

    /// Checks that this may see anything of an account.
    ///
    /// # Errors
    /// `account_not_found` on another account, as if it did not exist.
    pub fn require_account(&self, account: AccountId) -> Result<(), Problem> {
        match self {
            Self::Account(token) if token.account != account => Err(Problem::new(Code::AccountNotFound)),
            Self::Operator(_) | Self::Account(_) => Ok(()),
        }
    }

    /// Checks that this may do something on an account.
    ///
    /// # Errors
    /// `account_not_found` on another account; `forbidden` with `missing` where the permission is not given.
    pub fn require(&self, account: AccountId, permission: Permission) -> Result<(), Problem> {
        self.require_account(account)?;
        match self {
            Self::Account(token) if !token.permissions.contains(&permission) => Err(missing(permission.as_str())),
            Self::Operator(_) | Self::Account(_) => Ok(()),
        }
    }

    /// Checks that this is an operator.
    ///
    /// # Errors
    /// `forbidden` with `missing` otherwise.
    pub fn require_operator(&self) -> Result<(), Problem> {
        if self.is_operator() { Ok(()) } else { Err(missing("operator")) }
    }
}

fn missing(permission: &'static str) -> Problem {
    Problem::new(Code::Forbidden)
        .detail(format!("the token lacks the permission {permission}"))
        .with("missing", permission)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderValue};

    use super::{
        AccountId, AccountName, AccountToken, Code, Identify, Identity, Permission, TokenInfo, Who, authenticate,
        bearer_token,
    };

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
    }

    fn account_token() -> Identity {
        Identity::Account(Arc::new(AccountToken {
            info: TokenInfo { id: "tok_1".to_owned(), name: "crm".to_owned(), expires_at: None },
            account: AccountId(7),
            account_name: AccountName::parse("acme").unwrap(),
            permissions: [Permission::History].into(),
        }))
    }

    #[test]
    fn a_token_is_read_as_rfc_6750_writes_it() {
        let check = |values: &[&str], expected: Option<&str>| {
            let headers = headers(values);
            let token = bearer_token(&headers).map_err(|problem| assert_eq!(problem.code(), Code::Unauthorized));
            assert_eq!(token.ok(), expected, "{values:?}");
        };
        check(&["Bearer hk_abc.DEF-123"], Some("hk_abc.DEF-123"));
        check(&["bearer  abc "], Some("abc"));
        check(&[], None);
        check(&["Bearer"], None);
        check(&["Bearer "], None);
        check(&["Bearer a b"], None);
        check(&["Bearer é"], None);
        check(&["Basic dXNlcjpwYXNz"], None);
        check(&["Bearer a", "Bearer a"], None);
    }

    #[test]
    fn only_a_known_token_identifies() {
        struct One;
        impl Identify for One {
            fn identify(&self, token: &str) -> Option<Identity> {
                (token == "right").then_some(Identity::Operator(None))
            }
        }
        assert_eq!(authenticate(&headers(&["Bearer right"]), &One).unwrap(), Identity::Operator(None));
        let problem = authenticate(&headers(&["Bearer wrong-secret"]), &One).unwrap_err();
        assert_eq!(problem.code(), Code::Unauthorized);
        assert!(!format!("{problem:?}").contains("wrong-secret"), "a token is repeated nowhere");
        assert!(problem.headers().contains_key("www-authenticate"));
    }

    #[test]
    fn a_permission_counts_on_its_own_account_only() {
        let token = account_token();
        let code = |result: Result<(), super::Problem>| result.map_err(|problem| problem.code());
        assert_eq!(code(token.require(AccountId(7), Permission::History)), Ok(()));
        assert_eq!(code(token.require(AccountId(7), Permission::Raw)), Err(Code::Forbidden));
        assert_eq!(code(token.require(AccountId(8), Permission::History)), Err(Code::AccountNotFound));
        assert_eq!(code(token.require(AccountId(8), Permission::Raw)), Err(Code::AccountNotFound));
        assert_eq!(code(token.require_operator()), Err(Code::Forbidden));
        let problem = token.require(AccountId(7), Permission::Raw).unwrap_err();
        assert_eq!(problem.document("").members["missing"], "raw");

        let operator = Identity::Operator(None);
        for permission in Permission::ALL {
            assert_eq!(code(operator.require(AccountId(8), permission)), Ok(()));
        }
        assert_eq!(code(operator.require_operator()), Ok(()));
    }

    #[test]
    fn commands_are_signed_with_the_token_that_gave_them() {
        assert_eq!(Identity::Operator(None).who(), Who::Operator);
        assert_eq!(account_token().who(), Who::Token { id: "tok_1".to_owned(), name: "crm".to_owned() });
    }
}
