//! Identity tokens: JSON Web Tokens, HS256, with which a tenant's own server says who a visitor is. No I/O.

use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::kernel::secret::{Secret, token_hash};
use crate::kernel::{Error, Millis, Result};
use crate::members::profile::{Checker, NAME_MAX, NICKNAME_MAX};
use crate::security::tokens::{SERVICE, hs256_only, names, numeric_date};

/// How far ahead a token may end, in milliseconds.
pub const LIFETIME_MAX_MS: i64 = 24 * 60 * 60 * 1_000;
/// How far ahead of ours the clock of a tenant's server may be, in milliseconds.
const CLOCK_SKEW_MS: i64 = 60_000;
const POINTER: &str = "/identity_token";

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
    /// Which language it reads.
    pub locale: Option<String>,
    /// When the token ends.
    pub expires_at: Millis,
    /// What the token is remembered by until then.
    pub token_hash: String,
}

/// The name of the key that a token says it was signed with; not verified yet.
pub fn key_name(token: &str) -> Result<String> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
    if header.crit.is_some() {
        return Err(Error::field(POINTER, "invalid", "header crit: extensions are not supported"));
    }
    header.kid.ok_or_else(refused)
}

/// Verifies a token for the tenant with this slug. Everything that is wrong with it is a wrong field of the request,
/// so that clients do not take it for an expired access token; the detail names the claim.
pub fn verify(token: &str, secret: &Secret, slug: &str, now: Millis) -> Result<Identity> {
    let key = DecodingKey::from_secret(secret.expose().as_bytes());
    let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &hs256_only())
        .map_err(|cause| refused().caused_by(cause))?
        .claims;
    let expires_at = date(&claims, "exp")?.ok_or_else(|| wrong("exp", "required", "is missing"))?;
    if expires_at <= now {
        return Err(wrong("exp", "expired", "the identity token has expired"));
    }
    if expires_at > now.plus(LIFETIME_MAX_MS) {
        return Err(wrong("exp", "out_of_range", "is more than 24 hours ahead"));
    }
    if date(&claims, "nbf")?.is_some_and(|from| from > now.plus(CLOCK_SKEW_MS)) {
        return Err(wrong("nbf", "out_of_range", "the identity token is not valid yet"));
    }
    if claims.get("aud").is_some_and(|aud| !names(aud, &[SERVICE, slug])) {
        return Err(wrong("aud", "invalid", "is neither deskwire nor the tenant's slug"));
    }
    if claims.get("iss").is_some_and(|iss| iss.as_str() != Some(slug)) {
        return Err(wrong("iss", "invalid", "is not the tenant's slug"));
    }
    // The signature is left out: the same content can only have been signed in one way.
    let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
    Ok(Identity {
        external_id: subject(&claims)?,
        nickname: optional(&claims, "nickname", nickname),
        avatar: optional(&claims, "avatar", |check, text| check.avatar("", text)),
        email: optional(&claims, "email", |check, text| check.email("", text)),
        mobile: optional(&claims, "mobile", |check, text| check.mobile("", text)),
        locale: optional(&claims, "locale", |check, text| check.locale("", text)),
        expires_at,
        token_hash: token_hash(signed),
    })
}

/// A NumericDate; absent and null are the same.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<Millis>> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().and_then(numeric_date) {
            Some(at) => Ok(Some(at)),
            None => Err(wrong(name, "invalid", "expected seconds since 1970 as a number")),
        },
    }
}

/// The tenant's id of the customer: text, or a whole number, which many shops use as their key.
fn subject(claims: &Map<String, Value>) -> Result<String> {
    let text = match claims.get("sub") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(_) => return Err(wrong("sub", "invalid", "expected text or a whole number")),
        None => return Err(wrong("sub", "required", "is missing")),
    };
    let mut check = Checker::default();
    let subject = check.required_line(POINTER, &text, NAME_MAX);
    if subject.contains('\0') {
        check.wrong(POINTER, "invalid", "text must not hold U+0000");
    }
    match check.finish() {
        Ok(()) => Ok(subject),
        Err(mut error) => {
            for field in &mut error.fields {
                field.detail = format!("claim sub: {}", field.detail);
            }
            Err(error)
        }
    }
}

/// A claim that identifies nobody: one that does not fit is ignored.
fn optional(
    claims: &Map<String, Value>,
    name: &str,
    read: impl Fn(&mut Checker, &str) -> String,
) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    let mut check = Checker::default();
    let text = read(&mut check, text);
    check.finish().ok().map(|()| text)
}

fn nickname(check: &mut Checker, text: &str) -> String {
    let cut: String = text.trim().chars().filter(|one| !one.is_control()).take(NICKNAME_MAX).collect();
    check.required_line("", &cut, NICKNAME_MAX)
}

fn wrong(claim: &str, code: &'static str, detail: &str) -> Error {
    Error::field(POINTER, code, format!("claim {claim}: {detail}"))
}

/// What a token that does not verify is told, whether its key or its signature is wrong.
pub fn refused() -> Error {
    Error::field(POINTER, "invalid", "the token is malformed, not HS256, or signed with an unknown key")
}

/// What another visitor than the first one is told who sends a token.
pub fn used() -> Error {
    Error::field(POINTER, "used", "another visitor has used this identity token: sign a new one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::json;

    const NOW: Millis = Millis(1_795_341_600_000);
    const SECONDS: i64 = NOW.0 / 1_000;

    fn sign(secret: &str, claims: &Value) -> String {
        crate::security::hs256::install();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("shop".to_owned());
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&header, claims, &key).unwrap_or_default()
    }

    fn read(claims: Value) -> Result<Identity> {
        let mut all = json!({"sub": "u-17", "exp": SECONDS + 60});
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        verify(&sign("secret", &all), &Secret::new("secret"), "acme", NOW)
    }

    /// The code and the claim that the refusal names.
    fn told(claims: Value) -> Option<(String, String)> {
        let error = read(claims).err()?;
        let field = error.fields.first()?;
        let claim = field.detail.strip_prefix("claim ")?.split(':').next()?.to_owned();
        Some((field.code.to_string(), claim))
    }

    #[test]
    fn a_signed_identity_is_read() -> Result<()> {
        let identity = read(json!({
            "nickname": " 小王 ", "email": "W@Example.com", "aud": ["deskwire"], "iss": "acme", "nbf": SECONDS + 30,
        }))?;
        assert_eq!(identity.external_id, "u-17");
        assert_eq!(identity.nickname.as_deref(), Some("小王"));
        assert_eq!(identity.email.as_deref(), Some("w@example.com"));
        assert_eq!(identity.mobile, None);
        assert_eq!(key_name(&sign("secret", &json!({})))?, "shop");
        Ok(())
    }

    #[test]
    fn numbers_are_read_as_the_standards_have_them() -> Result<()> {
        assert_eq!(read(json!({"sub": 17}))?.external_id, "17");
        assert_eq!(read(json!({"sub": u64::MAX}))?.external_id, u64::MAX.to_string());
        let fraction = read(json!({"exp": SECONDS as f64 + 0.5}))?;
        assert_eq!(fraction.expires_at, NOW.plus(500));
        Ok(())
    }

    #[test]
    fn optional_claims_that_do_not_fit_are_cut_or_ignored() -> Result<()> {
        let identity = read(json!({
            "nickname": "昵".repeat(60), "avatar": "javascript:alert(1)", "email": "x".repeat(300), "mobile": 138,
        }))?;
        assert_eq!(identity.nickname, Some("昵".repeat(NICKNAME_MAX)));
        assert_eq!((identity.avatar, identity.email, identity.mobile), (None, None, None));
        assert_eq!(read(json!({"nickname": "  "}))?.nickname, None);
        Ok(())
    }

    #[test]
    fn refusals_name_the_claim() {
        let refused = |code: &str, claim: &str| Some((code.to_owned(), claim.to_owned()));
        assert_eq!(told(json!({"exp": null})), refused("required", "exp"));
        assert_eq!(told(json!({"exp": "soon"})), refused("invalid", "exp"));
        assert_eq!(told(json!({"exp": SECONDS})), refused("expired", "exp"));
        assert_eq!(told(json!({"exp": SECONDS + 86_401})), refused("out_of_range", "exp"));
        assert_eq!(told(json!({"exp": SECONDS + 86_400})), None);
        assert_eq!(told(json!({"nbf": SECONDS + 3_600})), refused("out_of_range", "nbf"));
        assert_eq!(told(json!({"aud": "other"})), refused("invalid", "aud"));
        assert_eq!(told(json!({"iss": "https://other.example"})), refused("invalid", "iss"));
        assert_eq!(told(json!({"sub": " "})), refused("too_short", "sub"));
        assert_eq!(told(json!({"sub": 1.5})), refused("invalid", "sub"));
        assert_eq!(told(json!({"sub": "x".repeat(126)})), refused("too_long", "sub"));
    }

    #[test]
    fn wrong_keys_algorithms_and_extensions_are_refused() {
        let secret = Secret::new("secret");
        let other = sign("other", &json!({"sub": "u-17", "exp": SECONDS + 60}));
        assert!(verify(&other, &secret, "acme", NOW).is_err());
        assert!(verify("a.b.c", &secret, "acme", NOW).is_err());
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("shop".to_owned());
        header.crit = Some(vec!["b64".to_owned()]);
        crate::security::hs256::install();
        let critical = jsonwebtoken::encode(&header, &json!({}), &EncodingKey::from_secret(b"secret"));
        assert!(critical.is_ok_and(|token| key_name(&token).is_err()));
    }
}
