//! The client of mail servers against one that misbehaves: what is known of a message after each fault.

use std::sync::Arc;
use std::time::Duration;

use deskwire::centre::channels::Answer;
use deskwire::centre::channels::smtp::{Carrier, Envelope, LIMITS, Limits};
use deskwire::domain::centre::account::{SmtpSecurity, SmtpSettings};
use deskwire::domain::centre::send::Outcome;
use deskwire::kernel::{MessageSendId, Millis};

use super::postbox::{Act, Postbox, Tls, USER, certificate};
use crate::harness::block_on;

/// Short ones where the server is slow on purpose, and long ones where it is not, so that no test needs a fast machine.
const SHORT: Duration = Duration::from_millis(300);

fn envelope(port: u16, security: SmtpSecurity) -> Envelope {
    let settings = SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        security,
        username: Some(USER.0.to_owned()),
        password: Some(USER.1.to_owned()),
        from_address: "shop@shop.example".to_owned(),
        from_name: Some("商店".to_owned()),
        reply_to: Some("help@shop.example".to_owned()),
    };
    Envelope {
        settings,
        id: MessageSendId(7),
        created_at: Millis(1_700_000_000_000),
        to: "eva@mail.example".to_owned(),
        subject: "Order 7".to_owned(),
        text: Some("Hello\n.\n..and\n".to_owned()),
        html: None,
        unsubscribe_at: None,
    }
}

fn carrier() -> Carrier {
    Carrier::new(&"127.0.0.1".parse().unwrap())
}

/// With the certificate of the fake, and no others.
fn trusting() -> Carrier {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    carrier().with_tls(config)
}

/// What came of a message in a conversation with these acts, and how many letters arrived.
async fn after(acts: &[Act], limits: Limits) -> (Answer, usize) {
    let postbox = Postbox::start(Tls::Never).await;
    postbox.script([acts.to_vec()]);
    let answer = carrier().with_limits(limits).carry(&envelope(postbox.port, SmtpSecurity::None)).await;
    (answer, postbox.letters().len())
}

#[test]
fn a_message_arrives_whole() {
    block_on(async {
        let postbox = Postbox::start(Tls::Never).await;
        let answer = carrier().carry(&envelope(postbox.port, SmtpSecurity::None)).await;
        assert_eq!(answer.outcome, Outcome::Accepted, "{answer:?}");
        assert_eq!(answer.code.as_deref(), Some("250 2.0.0"));
        assert_eq!(answer.message.as_deref(), Some("250 2.0.0 ok: queued as 7"));
        assert_eq!(answer.provider_message_id.as_deref(), Some("<7@shop.example>"));
        let letters = postbox.letters();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!((letter.from.as_str(), letter.to.as_str()), ("shop@shop.example", "eva@mail.example"));
        assert!(letter.signed_in && letter.data.contains("\r\n\r\nHello\r\n.\r\n..and\r\n"), "{letter:?}");
        for (field, value) in [
            ("Message-ID", "<7@shop.example>"),
            ("Date", "Tue, 14 Nov 2023 22:13:20 +0000"),
            ("From", "=?utf-8?b?5ZWG5bqX?= <shop@shop.example>"),
            ("To", "eva@mail.example"),
            ("Reply-To", "help@shop.example"),
            ("Subject", "Order 7"),
            ("Auto-Submitted", "auto-generated"),
            ("MIME-Version", "1.0"),
        ] {
            assert_eq!(letter.fields(field), [value], "{}", letter.data);
        }
        let words: Vec<String> =
            postbox.said().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(words, ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]);
        assert_eq!(postbox.said()[0], "EHLO [127.0.0.1]");
    });
}

#[test]
fn each_refusal_has_its_meaning() {
    use Outcome as O;
    block_on(async {
        for (act, expected) in [
            (Act::Says("CONNECT", "421 4.3.2 later"), O::Retry),
            (Act::Says("CONNECT", "554 not you"), O::Configuration),
            (Act::Says("EHLO", "502 what"), O::Configuration),
            (Act::Says("AUTH", "454 4.7.0 later"), O::Retry),
            (Act::Says("AUTH", "535 5.7.8 no"), O::Configuration),
            (Act::Says("AUTH", "534 5.7.9 no"), O::Configuration),
            (Act::Says("MAIL", "530 5.7.0 sign in"), O::Configuration),
            (Act::Says("MAIL", "451 later"), O::Retry),
            (Act::Says("RCPT", "550 5.1.1 no such user"), O::Recipient),
            (Act::Says("RCPT", "553 no"), O::Recipient),
            (Act::Says("RCPT", "450 4.2.1 later"), O::Retry),
            (Act::Says("RCPT", "452 4.5.3 later"), O::Retry),
            (Act::Says("DATA", "554 5.6.0 no"), O::Content),
            (Act::Says("DATA", "250 of course"), O::Retry),
            (Act::Says(".", "451 4.3.0 later"), O::Retry),
            (Act::Says(".", "554 5.7.1 spam"), O::Content),
            (Act::Says(".", "354 go on"), O::Uncertain),
            (Act::Says(".", "so long"), O::Uncertain),
        ] {
            let (answer, arrived) = after(&[act], LIMITS).await;
            assert_eq!((answer.outcome, arrived), (expected, 0), "{act:?}: {answer:?}");
        }
    });
}

#[test]
fn before_the_final_dot_a_failure_is_repeated_and_after_it_only_the_server_knows() {
    block_on(async {
        for step in ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
            let (answer, arrived) = after(&[Act::Ends(step)], LIMITS).await;
            assert_eq!((answer.outcome, arrived), (Outcome::Retry, 0), "{step}: {answer:?}");
        }
        let (answer, arrived) = after(&[Act::Ends(".")], LIMITS).await;
        assert_eq!((answer.outcome, arrived), (Outcome::Uncertain, 1), "{answer:?}");
        assert_eq!(
            answer.provider_message_id.as_deref(),
            Some("<7@shop.example>"),
            "by which it may be found"
        );
    });
}

#[test]
fn a_slow_server_is_waited_for_as_long_as_each_step_may_take() {
    block_on(async {
        for step in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"] {
            let limits = Limits { command: SHORT, ..LIMITS };
            let (answer, arrived) = after(&[Act::Waits(step, 20_000)], limits).await;
            assert_eq!((answer.outcome, arrived), (Outcome::Retry, 0), "{step}: {answer:?}");
        }
        // The reply to the message has a limit of its own, which is longer.
        let (answer, _) = after(&[Act::Waits(".", 600)], Limits { before: SHORT * 100, ..LIMITS }).await;
        assert_eq!(answer.outcome, Outcome::Accepted, "{answer:?}");
        let limits = Limits { reply: SHORT, quit: SHORT, ..LIMITS };
        let (answer, arrived) = after(&[Act::Waits(".", 20_000)], limits).await;
        assert_eq!((answer.outcome, arrived), (Outcome::Uncertain, 1), "{answer:?}");
    });
}

#[test]
fn passwords_go_by_either_way_and_stand_in_no_answer() {
    block_on(async {
        for offers in [&["AUTH PLAIN"][..], &["auth=login plain"], &["8BITMIME", "AUTH LOGIN", "SIZE 0"]] {
            let postbox = Postbox::offering(Tls::Never, offers).await;
            let answer = carrier().carry(&envelope(postbox.port, SmtpSecurity::None)).await;
            assert_eq!(answer.outcome, Outcome::Accepted, "{offers:?} {answer:?}");
            assert!(postbox.letters()[0].signed_in);
        }
        let postbox = Postbox::offering(Tls::Never, &["AUTH CRAM-MD5"]).await;
        let answer = carrier().carry(&envelope(postbox.port, SmtpSecurity::None)).await;
        assert_eq!(answer.outcome, Outcome::Configuration, "{answer:?}");
        for wrong in ["535 bad password s3cret-word", "535 bad token AHNob3AAczNjcmV0LXdvcmQ="] {
            let (answer, _) = after(&[Act::Says("AUTH", wrong)], LIMITS).await;
            assert_eq!(answer.outcome, Outcome::Configuration);
            let shown = format!("{answer:?}");
            assert!(!shown.contains("s3cret") && !shown.contains("AHNob3A"), "{shown}");
        }
        let mut nobody = envelope(Postbox::start(Tls::Never).await.port, SmtpSecurity::None);
        nobody.settings.password = Some("wrong".to_owned());
        let answer = carrier().carry(&nobody).await;
        assert_eq!((answer.outcome, answer.code.as_deref()), (Outcome::Configuration, Some("535 5.7.8")));
        assert!(!format!("{nobody:?}").contains("wrong"), "{nobody:?}");
    });
}

#[test]
fn with_tls_nothing_crosses_an_open_line() {
    block_on(async {
        for (tls, security) in [(Tls::Offered, SmtpSecurity::Starttls), (Tls::Always, SmtpSecurity::Tls)] {
            let postbox = Postbox::start(tls).await;
            let answer = trusting().carry(&envelope(postbox.port, security)).await;
            assert_eq!(answer.outcome, Outcome::Accepted, "{answer:?}");
            assert!(postbox.letters()[0].secure && postbox.letters()[0].signed_in);
            // A certificate that this machine does not trust.
            let answer = carrier().carry(&envelope(postbox.port, security)).await;
            assert_eq!(answer.outcome, Outcome::Configuration, "{answer:?}");
            assert_eq!(postbox.letters().len(), 1);
        }
        // A server without TLS gets neither a password nor a message.
        let postbox = Postbox::start(Tls::Never).await;
        let answer = trusting().carry(&envelope(postbox.port, SmtpSecurity::Starttls)).await;
        assert_eq!(answer.outcome, Outcome::Configuration, "{answer:?}");
        assert_eq!(postbox.said(), ["EHLO [127.0.0.1]"]);
        let answer = trusting().carry(&envelope(postbox.port, SmtpSecurity::Tls)).await;
        assert_eq!(answer.outcome, Outcome::Configuration, "{answer:?}");
        // What somebody put in before TLS is not taken for the server's word with TLS.
        let postbox = Postbox::start(Tls::Offered).await;
        postbox.script([vec![Act::Says("STARTTLS", "220 go ahead\r\n250 AUTH PLAIN")]]);
        let answer = trusting().carry(&envelope(postbox.port, SmtpSecurity::Starttls)).await;
        assert_eq!(answer.outcome, Outcome::Configuration, "{answer:?}");
        assert!(postbox.letters().is_empty());
    });
}

#[test]
fn a_server_that_lies_about_what_it_can_do_gets_ascii() {
    block_on(async {
        let offers = &["8BITMIME", "SMTPUTF8", "BINARYMIME", "CHUNKING", "AUTH PLAIN"];
        let postbox = Postbox::offering(Tls::Never, offers).await;
        let mut message = envelope(postbox.port, SmtpSecurity::None);
        message.subject = "订单已付款".repeat(20);
        message.text = Some("您好，世界\u{85}\rx".repeat(400));
        message.html = Some("<p>您好</p>".to_owned());
        message.to = "eva@商店.example".to_owned();
        let answer = carrier().carry(&message).await;
        assert_eq!(answer.outcome, Outcome::Accepted, "{answer:?}");
        let letter = &postbox.letters()[0];
        assert!(
            letter.data.is_ascii() && letter.data.split("\r\n").all(|line| line.len() <= 78),
            "{}",
            letter.data
        );
        assert_eq!(letter.to, "eva@xn--czrs0t.example");
        assert!(postbox.said().iter().all(|line| !line.contains("SMTPUTF8") && !line.contains("BODY")));
        // A receiver that needs SMTPUTF8 is refused before anybody is spoken to.
        message.to = "伊娃@mail.example".to_owned();
        let answer = carrier().carry(&message).await;
        assert_eq!(answer.outcome, Outcome::Recipient, "{answer:?}");
        assert!(answer.message.unwrap().contains("SMTPUTF8"));
        for to in ["", "eva@mail.example\r\nRCPT TO:<all@mail.example>", "eva@mail.example> SIZE=1"] {
            message.to = to.to_owned();
            assert_eq!(carrier().carry(&message).await.outcome, Outcome::Recipient, "{to}");
        }
        assert_eq!(postbox.letters().len(), 1);
        let small = Postbox::offering(Tls::Never, &["SIZE 500", "AUTH PLAIN"]).await;
        message.to = "eva@mail.example".to_owned();
        message.settings.port = Some(small.port);
        assert_eq!(carrier().carry(&message).await.outcome, Outcome::Content);
    });
}

#[test]
fn no_private_mail_server_is_reached() {
    block_on(async {
        for host in ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"] {
            for port in [25, 2525] {
                let mut message = envelope(port, SmtpSecurity::Tls);
                message.settings.host = host.to_owned();
                let answer =
                    Carrier::new(&deskwire::kernel::outbound::Allowed::default()).carry(&message).await;
                let known = (answer.outcome, answer.message.as_deref());
                assert_eq!(known, (Outcome::Configuration, Some("the host has no public address")), "{host}");
            }
        }
        // The operator no longer allows what an account was set to.
        let postbox = Postbox::start(Tls::Never).await;
        for security in [SmtpSecurity::None, SmtpSecurity::Tls] {
            let message = envelope(postbox.port, security);
            let answer = Carrier::new(&deskwire::kernel::outbound::Allowed::default()).carry(&message).await;
            assert_eq!(answer.outcome, Outcome::Configuration, "{answer:?}");
        }
        assert!(postbox.said().is_empty());
        let mut nowhere = envelope(1, SmtpSecurity::None);
        nowhere.settings.host = "127.0.0.1".to_owned();
        assert_eq!(carrier().carry(&nowhere).await.outcome, Outcome::Retry, "nobody listens");
    });
}

#[test]
fn nothing_that_is_rendered_becomes_a_field_or_a_command() {
    block_on(async {
        let postbox = Postbox::start(Tls::Never).await;
        for subject in [
            "Hi\r\nBcc: all@shop.example",
            "Hi\nBcc: all@shop.example",
            "Hi\rBcc: all@shop.example",
            "Hi\u{85}Bcc: all@shop.example",
            "您好\r\nBcc: all@shop.example",
            "Hi\r\n\r\n.\r\nMAIL FROM:<x@shop.example>",
            "=?utf-8?q?Hi=0D=0ABcc:_all@shop.example?=",
        ] {
            let mut message = envelope(postbox.port, SmtpSecurity::None);
            message.subject = subject.to_owned();
            message.text = Some(format!("{subject}\r.\r\n.\r\nQUIT\n.\n"));
            message.settings.from_name = Some(subject.to_owned());
            let answer = carrier().carry(&message).await;
            assert_eq!(answer.outcome, Outcome::Accepted, "{subject:?} {answer:?}");
            let letter = postbox.letters().pop().unwrap();
            assert!(letter.fields("Bcc").is_empty(), "{}", letter.data);
            assert_eq!(letter.fields("Subject").len(), 1);
            assert!(!letter.fields("Subject")[0].contains("=0D"), "{}", letter.data);
        }
        assert_eq!(postbox.letters().len(), 7);
        assert_eq!(postbox.said().iter().filter(|line| line.starts_with("MAIL")).count(), 7);
    });
}
