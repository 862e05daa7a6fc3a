//! What an account may be set to: its address or settings, its secret, its limit.
//!
//! Owns the checks of what a merchant gives. Invariant: what passes is reached over the public network, unless the operator
//! allows its host.

use url::Url;

use crate::domain::centre::account::{
    Config, PORTS, Provider, SECRET_MAX, Settings, SmtpSecurity, SmtpSettings, URL_MAX,
};
use crate::kernel::outbound::{Allowed, may_be_public};
use crate::members::profile::Checker;

/// Most messages of an account's own limit.
pub const LIMIT_COUNT_MAX: i64 = 100_000;
/// Longest window of an account's own limit, in seconds: a day.
pub const LIMIT_SECONDS_MAX: i64 = 86_400;

/// Checks how an account is reached: by its address or by its settings. Gives its host.
pub(super) fn reached(
    check: &mut Checker,
    provider: Provider,
    url: Option<&str>,
    own: Option<&Settings>,
    allowed: &Allowed,
) -> String {
    if provider == Provider::InApp {
        if url.is_some() {
            check.wrong("/url", "invalid", "notifications have no address");
        }
        return String::new();
    }
    if provider.may_have_url() {
        let Some(own) = own else {
            check.wrong(&format!("/{provider}"), "required", "the settings");
            return String::new();
        };
        let usual = settings(check, own, allowed);
        return url.map_or(usual, |url| address(check, provider, url, allowed));
    }
    match (provider.has_url(), url, own) {
        (true, Some(url), _) => return address(check, provider, url, allowed),
        (false, None, Some(own)) => return settings(check, own, allowed),
        (true, None, _) => check.wrong("/url", "required", "the address"),
        (false, Some(_), _) => check.wrong("/url", "invalid", format!("{provider} has settings instead")),
        (false, None, None) => check.wrong(&format!("/{provider}"), "required", "the settings"),
    }
    String::new()
}

/// Checks a new address of an account; gives its host.
pub(super) fn moved(check: &mut Checker, provider: Provider, url: &str, allowed: &Allowed) -> String {
    if provider.may_have_url() {
        return address(check, provider, url, allowed);
    }
    reached(check, provider, Some(url), None, allowed)
}

/// Checks the address of an account; gives its host.
fn address(check: &mut Checker, provider: Provider, text: &str, allowed: &Allowed) -> String {
    let parsed = Url::parse(text).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
    if text.chars().count() > URL_MAX {
        check.wrong("/url", "too_long", format!("at most {URL_MAX} characters"));
    } else if parsed.as_ref().is_some_and(|url| allowed.allows(url)) {
        return host;
    } else if let Some(fault) = crate::kernel::url::fault(text) {
        check.wrong("/url", "invalid", fault);
    } else if !provider.hosts().is_empty() && !provider.hosts().contains(&host.as_str()) {
        check.wrong(
            "/url",
            "invalid",
            format!("the host of a {provider} is {}", provider.hosts().join(" or ")),
        );
    }
    host
}

/// The settings of this provider among the fields of a request, in the form in which they are stored; those of another
/// provider are wrong.
pub(super) fn own_settings(
    check: &mut Checker,
    provider: Provider,
    given: Vec<Settings>,
) -> Option<Settings> {
    let (own, others): (Vec<_>, Vec<_>) = given.into_iter().partition(|one| one.provider() == provider);
    for other in others {
        check.wrong(&format!("/{}", other.provider()), "invalid", format!("the provider is {provider}"));
    }
    own.into_iter().next().map(Settings::in_form)
}

/// Checks the settings of an account; gives its host.
fn settings(check: &mut Checker, settings: &Settings, allowed: &Allowed) -> String {
    let root = settings.provider();
    if let Some((pointer, fault)) = settings.fault() {
        check.wrong(&format!("/{root}{pointer}"), "invalid", fault);
        return String::new();
    }
    match settings {
        Settings::Smtp(settings) => {
            if let Some((pointer, fault)) = unreachable(settings, allowed) {
                check.wrong(&format!("/{root}{pointer}"), "invalid", fault);
            }
            settings.host.clone()
        }
        other => other.provider().hosts().first().map(|host| (*host).to_owned()).unwrap_or_default(),
    }
}

/// Why a mail server may not be spoken to, unless the operator allows its host.
fn unreachable(settings: &SmtpSettings, allowed: &Allowed) -> Option<(&'static str, String)> {
    if allowed.allows_host(&settings.host) {
        return None;
    }
    if !may_be_public(&settings.host) {
        return Some(("/host", "the host is not a public one".to_owned()));
    }
    if settings.security == SmtpSecurity::None {
        return Some(("/security", "mail is handed over with TLS: tls or starttls".to_owned()));
    }
    let ports = PORTS.map(|port| port.to_string()).join(", ");
    (!PORTS.contains(&settings.port())).then(|| ("/port", format!("one of {ports}")))
}

/// Puts what a merchant changes of an account's settings into what is stored of it; gives its host.
pub(super) fn change_settings(
    check: &mut Checker,
    config: &mut Config,
    given: Settings,
    allowed: &Allowed,
) -> String {
    let given = match &config.settings {
        Some(before) => given.keeping(before),
        None => given,
    };
    let usual = settings(check, &given, allowed);
    config.settings = Some(given);
    // The account may have an address of its own beside its settings.
    let own = Url::parse(&config.url).ok();
    own.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or(usual)
}

/// Checks what a robot signs with.
pub(super) fn secret(check: &mut Checker, provider: Provider, secret: Option<String>) -> Option<String> {
    let signs = matches!(provider, Provider::DingtalkRobot | Provider::FeishuRobot);
    let secret = secret.filter(|secret| !secret.is_empty())?;
    if !signs {
        check.wrong("/secret", "invalid", "only robots of DingTalk and Feishu are given a secret");
    }
    Some(check.line("/secret", &secret, SECRET_MAX))
}

/// Checks an account's own limit.
pub(super) fn own_limit(check: &mut Checker, (count, seconds): (i64, i64)) -> (i64, i64) {
    if !(1..=LIMIT_COUNT_MAX).contains(&count) {
        check.wrong("/limit/count", "out_of_range", format!("1 to {LIMIT_COUNT_MAX}"));
    }
    if !(1..=LIMIT_SECONDS_MAX).contains(&seconds) {
        check.wrong("/limit/seconds", "out_of_range", format!("1 to {LIMIT_SECONDS_MAX}"));
    }
    (count, seconds)
}
