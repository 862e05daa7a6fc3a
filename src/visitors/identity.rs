//! Identity tokens: JSON Web Tokens, HS256, with which a tenant's own server says who a visitor is. No I/O.

use serde::Deserialize;

use crate::kernel::secret::Secret;
use crate::kernel::{Error, Millis, Result};
use crate::members::profile::{Checker, NAME_MAX, NICKNAME_MAX};
use crate::security::tokens::hs256_only;

/// How far ahead a token may end, in milliseconds.
pub const LIFETIME_MAX_MS: i64 = 24 * 60 * 60 * 1_000;
const POINTER: &str = "/identity_token";

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    nickname: Option<String>,
    avatar: Option<String>,
    email: Option<String>,
    mobile: Option<String>,
}

/// Who the tenant says that a visitor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The tenant's own id of the customer.
    pub external_id: String,
    /// The name that others see, if the tenant tells it.
    pub nickname: Option<String>,
    /// The address of a picture.
    pub avatar: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Mobile number.
    pub mobile: Option<String>,
}

/// The name of the key that a token says it was signed with; not judged yet.
pub fn key_name(token: &str) -> Result<String> {
    jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid).ok_or_else(refused)
}

/// Judges a token. Everything that is wrong with it is a wrong field of the request, so that clients do not take it
/// for an expired access token.
pub fn judge(token: &str, secret: &Secret, now: Millis) -> Result<Identity> {
    let key = jsonwebtoken::DecodingKey::from_secret(secret.expose().as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &hs256_only())
        .map_err(|cause| refused().caused_by(cause))?
        .claims;
    let ends = Millis(claims.exp.saturating_mul(1_000));
    if ends <= now {
        return Err(Error::field(POINTER, "expired", "the identity token has expired"));
    }
    if ends > now.plus(LIFETIME_MAX_MS) {
        return Err(Error::field(POINTER, "out_of_range", "exp is more than 24 hours ahead"));
    }
    let mut check = Checker::default();
    let identity = Identity {
        external_id: check.required_line(POINTER, &claims.sub, NAME_MAX),
        nickname: claims
            .nickname
            .map(|text| check.line(POINTER, &text, NICKNAME_MAX))
            .filter(|text| !text.is_empty()),
        avatar: claims.avatar.map(|text| check.avatar(POINTER, &text)),
        email: claims.email.map(|text| check.email(POINTER, &text)),
        mobile: claims.mobile.map(|text| check.mobile(POINTER, &text)),
    };
    check.finish()?;
    Ok(identity)
}

/// What a token that does not verify is told, whether its key or its signature is wrong.
pub fn refused() -> Error {
    Error::field(POINTER, "invalid", "the token is malformed, not HS256, or signed with an unknown key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::json;

    const NOW: Millis = Millis(1_795_341_600_000);

    fn sign(algorithm: Algorithm, secret: &str, claims: &serde_json::Value) -> String {
        let mut header = Header::new(algorithm);
        header.kid = Some("shop".to_owned());
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&header, claims, &key).unwrap_or_default()
    }

    fn code(token: &str) -> Option<String> {
        let error = judge(token, &Secret::new("secret"), NOW).err()?;
        error.fields.first().map(|field| field.code.to_string())
    }

    #[test]
    fn a_signed_identity_is_read() -> Result<()> {
        let claims = json!({
            "sub": "u-17", "exp": NOW.0 / 1_000 + 60, "nickname": " 小王 ", "email": "W@Example.com", "aud": "x",
        });
        let token = sign(Algorithm::HS256, "secret", &claims);
        assert_eq!(key_name(&token)?, "shop");
        let identity = judge(&token, &Secret::new("secret"), NOW)?;
        assert_eq!(identity.external_id, "u-17");
        assert_eq!(identity.nickname.as_deref(), Some("小王"));
        assert_eq!(identity.email.as_deref(), Some("w@example.com"));
        assert_eq!(identity.mobile, None);
        Ok(())
    }

    #[test]
    fn wrong_keys_algorithms_and_times_are_refused() {
        let seconds = NOW.0 / 1_000;
        let good = json!({"sub": "u-17", "exp": seconds + 60});
        assert_eq!(code(&sign(Algorithm::HS256, "other", &good)).as_deref(), Some("invalid"));
        assert_eq!(code(&sign(Algorithm::HS512, "secret", &good)).as_deref(), Some("invalid"));
        assert_eq!(code("a.b.c").as_deref(), Some("invalid"));
        let signed = |claims| code(&sign(Algorithm::HS256, "secret", &claims));
        assert_eq!(signed(json!({"sub": "u-17"})).as_deref(), Some("invalid"));
        assert_eq!(signed(json!({"sub": "u-17", "exp": seconds})).as_deref(), Some("expired"));
        assert_eq!(signed(json!({"sub": "u-17", "exp": seconds + 86_401})).as_deref(), Some("out_of_range"));
        assert_eq!(signed(json!({"sub": " ", "exp": seconds + 60})).as_deref(), Some("too_short"));
        assert_eq!(signed(json!({"sub": "u-17", "exp": seconds + 86_400})), None);
    }
}
