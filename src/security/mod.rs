//! Signatures, tokens, sealing, revisions and the rules about addresses: pure functions.
//!
//! Nothing here does IO, resolves a name or asks the clock; time and randomness are passed in. What is
//! secret has no `Debug` content and no `Serialize`: it leaves only through a method called `expose`.
//! What compares secrets compares in constant time.

mod secret;

mod key_pair;
mod signature;
mod verify;

mod token;

mod seal;

mod base32;
mod hex;
mod revision;

mod certificate;

mod address;
mod class;
mod pseudonym;
mod redact;
mod target;

#[cfg(test)]
mod corpus;

pub use address::{AddressRules, ForbiddenAddress};
pub use certificate::{ClientCertificate, InvalidCertificate};
pub use class::{AddressClass, Carried};
pub use hex::{Hex, read as read_hex};
pub use key_pair::{KeyPair, PublicKey};
pub use pseudonym::PseudonymKeys;
pub use redact::redact_url;
pub use revision::{InvalidRevision, RevisionCipher};
pub use seal::{CannotOpen, InvalidMasterKey, KeyCheck, MasterKey, open, seal};
pub use secret::Secret;
pub use signature::{InvalidSigningKey, SignatureScheme, Signer, SigningSecret, sign};
pub use target::{Host, Scheme, Target, UrlError};
pub use token::{ApiToken, InvalidToken, InvalidTokenHash, InvalidTokenId, TokenHash, TokenId, TokenKind};
pub use verify::{BodyChange, Received, TIMESTAMP_TOLERANCE, Unverified, Verified, Verifier, verify};
