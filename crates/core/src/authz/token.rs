//! Bearer tokens of the operator API.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::Secret;

/// What every token starts with, so that people and secret scanners recognise one.
const PREFIX: &str = "peerd_";

/// A text that is not a token. It does not say which, nor what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a peerd token")]
pub struct InvalidToken;

/// A bearer token: `peerd_` and 52 characters of lower-case base32, 32 random bytes. It never prints itself.
#[derive(Clone)]
pub struct Token(Secret);

impl Token {
    /// The token of 32 bytes that a random number generator made.
    pub const fn from_bytes(bytes: [u8; 32]) -> Token {
        Token(Secret::from_bytes(bytes))
    }

    /// The token's text; what takes it must not log it.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from(PREFIX));
        text.push_str(&Zeroizing::new(
            Zeroizing::new(BASE32_NOPAD.encode(self.0.expose())).to_ascii_lowercase(),
        ));
        text
    }

    /// What is kept of it: the SHA-256 of its text.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }
}

/// Exactly the form that is printed: one token has one spelling.
impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Token, InvalidToken> {
        let body = text.strip_prefix(PREFIX).ok_or(InvalidToken)?;
        if body.len() != 52 || body.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidToken);
        }
        let upper = Zeroizing::new(body.to_ascii_uppercase());
        let bytes = BASE32_NOPAD
            .decode(upper.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| InvalidToken)?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(Token::from_bytes)
            .map_err(|_| InvalidToken)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

/// The SHA-256 of a token's text. It finds the principal and proves nothing to who holds it, yet it is not shown.
///
/// Equality takes the same time wherever the hashes differ.
#[derive(Clone, Copy, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(#[serde(with = "serde_bytes")] [u8; 32]);

impl TokenHash {
    /// The 32 bytes, as the key of a table.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token hash]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_in_its_one_spelling_only() {
        let token = Token::from_bytes([0xa5; 32]);
        let text = token.expose();
        assert_eq!(text.len(), 58);
        assert_eq!(text.parse::<Token>().map(|read| read.hash()), Ok(token.hash()));
        for wrong in [
            "",
            "peerd_",
            &text[6..],
            &text[..57],
            &format!("{}a", *text),
            &format!("{} ", *text),
            &text.to_ascii_uppercase(),
            &format!("peerd_{}", text[6..].to_ascii_uppercase()),
            &format!("{}7", &text[..57]),
            &format!("peerd_{}", "é".repeat(26)),
        ] {
            assert!(wrong.parse::<Token>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn b022_tokens_and_their_hashes_never_print_themselves() {
        let token = Token::from_bytes([3; 32]);
        assert_eq!(format!("{token:?} {:?}", token.hash()), "[token] [token hash]");
    }

    #[test]
    fn b021_no_other_token_hashes_to_the_same() {
        assert_ne!(
            Token::from_bytes([0; 32]).hash(),
            Token::from_bytes([1; 32]).hash()
        );
    }
}
