//! API tokens: what a program shows to be let in, and the hash that is kept of it.
//!
//! Not who a token belongs to or what it may do: `accounts` knows that, by the hash. A token is 32 random
//! bytes, so one plain SHA-256 is enough: there is nothing to guess that a slow hash would protect.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::CtOutput;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::runtime::Random;

use super::base32;
use super::hex::{self, Hex};
use super::secret::Secret;

/// Whose token it is; its prefix says so, for people and for scanners of leaked secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// Of one account: `hlk_`.
    Account,
    /// Of the platform's operator: `hlo_`.
    Operator,
}

impl TokenKind {
    /// Returns what its tokens begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Account => "hlk_",
            Self::Operator => "hlo_",
        }
    }
}

/// A token: a prefix and 43 characters of base64url. Not kept: [`TokenHash`] is.
#[derive(Debug, Clone)]
pub struct ApiToken {
    kind: TokenKind,
    text: Secret<String>,
}

/// A text that is no token. Says nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is hlk_ or hlo_ and 43 of the characters A-Z a-z 0-9 _ -: give it whole, as it was shown")]
pub struct InvalidToken;

impl ApiToken {
    /// Makes a token of 32 random bytes.
    #[must_use]
    pub fn make(kind: TokenKind, random: &mut Random) -> Self {
        let mut text = kind.prefix().to_owned();
        URL_SAFE_NO_PAD.encode_string(random.bytes::<TOKEN_BYTES>(), &mut text);
        Self { kind, text: Secret::new(text) }
    }

    /// Checks the form of a token.
    ///
    /// # Errors
    /// Where the prefix is another or what follows is not the base64url of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let kinds = [TokenKind::Account, TokenKind::Operator];
        let kind = kinds.into_iter().find(|kind| text.starts_with(kind.prefix())).ok_or(InvalidToken)?;
        let encoded = text.strip_prefix(kind.prefix()).ok_or(InvalidToken)?;
        match URL_SAFE_NO_PAD.decode(encoded) {
            Ok(bytes) if bytes.len() == TOKEN_BYTES => Ok(Self { kind, text: Secret::new(text.to_owned()) }),
            Ok(_) | Err(_) => Err(InvalidToken),
        }
    }

    /// Returns whose token it is.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// Returns the text, to be shown once or sent.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Returns what is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.expose())
    }
}

/// The SHA-256 of a token's text: what is kept, looked up and compared. 64 hex digits as text.
///
/// Equality takes the same time for every pair. Order and `Hash` do not have to: whoever could choose a
/// hash could invert SHA-256.
#[derive(Clone, Copy, PartialOrd, Ord, Hash)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "the manual equality says the same, in constant time")]
pub struct TokenHash([u8; 32]);

/// A text that is no token's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token's hash is 64 hex digits")]
pub struct InvalidTokenHash;

impl TokenHash {
    /// Hashes whatever somebody presents as a token, whether it has the form of one or not.
    #[must_use]
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented).into())
    }

    /// Returns whether this is the hash of what somebody presents, in constant time.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        *self == Self::of(presented)
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        CtOutput::<Sha256>::new(self.0.into()) == CtOutput::new(other.0.into())
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    /// The first bytes only: enough to tell two apart in a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(formatter, "TokenHash({}…)", Hex(&[a, b, c, d]))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(formatter)
    }
}

impl FromStr for TokenHash {
    type Err = InvalidTokenHash;

    fn from_str(text: &str) -> Result<Self, InvalidTokenHash> {
        hex::read(text).map(Self).ok_or(InvalidTokenHash)
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A token's name: `tok_` and 13 characters. No secret; random, so that it is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(u64);

/// A text that is no token's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token's id is tok_ and 13 of the characters 0-9 a-z without i, l, o, u")]
pub struct InvalidTokenId;

impl TokenId {
    /// Makes an id.
    #[must_use]
    pub fn make(random: &mut Random) -> Self {
        Self(u64::from_be_bytes(random.bytes()))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// Where the text has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidTokenId> {
        text.strip_prefix(ID_PREFIX).and_then(base32::decode).map(Self).ok_or(InvalidTokenId)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(ID_PREFIX.len() + base32::CHARACTERS);
        text.push_str(ID_PREFIX);
        base32::encode(self.0, &mut text);
        formatter.pad(&text)
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        Self::parse(text)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for TokenId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^tok_[0-9a-hjkmnp-tv-z]{13}$" })
    }
}

const TOKEN_BYTES: usize = 32;
const ID_PREFIX: &str = "tok_";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ApiToken, TokenHash, TokenId, TokenKind};
    use crate::runtime::Random;

    #[test]
    fn a_token_is_a_prefix_and_43_characters() {
        let mut random = Random::from_seed(1);
        for (kind, prefix) in [(TokenKind::Account, "hlk_"), (TokenKind::Operator, "hlo_")] {
            let token = ApiToken::make(kind, &mut random);
            assert_eq!(token.expose().len(), 47);
            assert!(token.expose().starts_with(prefix));
            let read = ApiToken::parse(token.expose()).unwrap();
            assert_eq!((read.kind(), read.expose()), (kind, token.expose()));
            assert_ne!(token.expose(), ApiToken::make(kind, &mut random).expose());
        }
    }

    #[test]
    fn another_form_is_refused() {
        let characters = "A".repeat(43);
        assert!(ApiToken::parse(&format!("hlk_{characters}")).is_ok());
        for text in [
            "",
            "hlk_",
            &characters,
            &format!("hlx_{characters}"),
            &format!("HLK_{characters}"),
            &format!("hlk_{characters}A"),
            &format!("hlk_{}", &characters[1..]),
            &format!(" hlk_{characters}"),
            &format!("hlk_{characters}\n"),
            &format!("hlk_{characters}="),
            &format!("hlk_{}+", &characters[1..]),
            &format!("hlk_{}B", &characters[1..]),
        ] {
            assert!(ApiToken::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_the_token_itself_matches_its_hash() {
        let mut random = Random::from_seed(2);
        let token = ApiToken::make(TokenKind::Account, &mut random);
        let other = ApiToken::make(TokenKind::Account, &mut random);
        assert!(token.hash().matches(token.expose()));
        assert!(!token.hash().matches(other.expose()));
        assert!(!token.hash().matches(""));
        assert!(!token.hash().matches(&token.expose().to_ascii_lowercase()));
    }

    #[test]
    fn neither_token_nor_hash_is_shown() {
        let token = ApiToken::make(TokenKind::Account, &mut Random::from_seed(3));
        assert_eq!(format!("{token:?}"), "ApiToken { kind: Account, text: Secret(…) }");
        // SHA-256 of "abc", FIPS 180-2.
        let hash = TokenHash::of("abc");
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(format!("{hash:?}"), "TokenHash(ba7816bf…)");
    }

    #[test]
    fn an_id_is_read_strictly() {
        let id = TokenId::make(&mut Random::from_seed(4));
        let text = id.to_string();
        assert_eq!(text.len(), 17);
        assert_eq!(TokenId::parse(&text), Ok(id));
        for bad in [
            "",
            "tok_",
            "tok_000000000000",
            "tok_g000000000000",
            "TOK_0000000000000",
            "tok_00000000000000",
            "0000000000000",
        ] {
            assert!(TokenId::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn ids_and_hashes_survive_json(seed: u64, presented: String) {
            let id = TokenId::make(&mut Random::from_seed(seed));
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<TokenId>(&json).unwrap(), id);
            let hash = TokenHash::of(&presented);
            let json = serde_json::to_string(&hash).unwrap();
            prop_assert_eq!(serde_json::from_str::<TokenHash>(&json).unwrap(), hash);
        }
    }
}
