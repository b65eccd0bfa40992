//! A step that sends mails for a month. It sleeps between them, and stops when
//! the reader has had enough.

use segno::prelude::*;
use segno::signals::{self, Signal};
use segno::{http, progress, timers, waits};
use serde::{Deserialize, Serialize};

/// Whom to write to, and when.
#[derive(Debug, Deserialize)]
pub struct Campaign {
    /// The reader's address, by which the signal to stop is found.
    pub mail: String,
    /// The URL of the service that sends mails; without one the log has them.
    #[serde(default)]
    pub service: String,
    /// When each mail is due, from the start: in order.
    #[serde(default = "a_month")]
    pub after: Vec<String>,
}

/// What was sent.
#[derive(Debug, Serialize)]
pub struct Sent {
    /// The reader's address.
    pub mail: String,
    /// How many mails.
    pub sent: usize,
    /// Whether the reader has stopped it.
    pub unsubscribed: bool,
}

/// What ends a wait.
enum Next {
    Stop,
    Send,
}

/// Sends the mails, until it is told to stop.
#[segno::step]
pub fn run(campaign: Campaign) -> Result<Sent> {
    // All of them are read before the first is sent: a typing error in the last
    // one must not show after a month.
    let after = campaign.after.iter().map(|text| timers::duration(text));
    let after = after.collect::<Result<Vec<_>>>().context("reading `after`")?;
    let start = timers::now();
    let (mail, total) = (&campaign.mail, after.len());

    let mut sent = 0;
    for due in after {
        let stop = signals::wait("mail.unsubscribed").matching(json!({ "mail": mail }));
        let next = waits::any()
            .signal(stop, |_: Signal<Value>| Next::Stop)
            .at(start + due, || Next::Send)
            .first()?;
        if matches!(next, Next::Stop) {
            info!("{mail} has had enough after {sent} of {total}");
            return Ok(Sent { mail: campaign.mail, sent, unsubscribed: true });
        }
        send(&campaign, sent + 1)?;
        sent += 1;
        progress::report(sent as u64, total as u64, "mails");
    }
    Ok(Sent { mail: campaign.mail, sent, unsubscribed: false })
}

fn send(campaign: &Campaign, number: usize) -> Result<()> {
    let Campaign { mail, service, .. } = campaign;
    if service.is_empty() {
        info!("mail {number} to {mail}");
        return Ok(());
    }
    http::post(format!("{}/mail", service.trim_end_matches('/')))
        .json(&json!({ "to": mail, "number": number }))
        .send()?
        .error_for_status()?;
    Ok(())
}

fn a_month() -> Vec<String> {
    ["1 day", "3 days", "7 days", "14 days", "30 days"].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno::testing::Script;

    const URL: &str = "http://127.0.0.1:7070/mail";

    fn script() -> Script {
        let input = json!({ "mail": "ada@example.com", "service": "http://127.0.0.1:7070" });
        Script::new(run).input(input).http("POST", URL, 202, json!({}))
    }

    #[test]
    fn a_month_has_five_mails() {
        let mut script = script();
        let mut sent = Vec::new();
        for _ in 1..=30 {
            script.advance("1 day");
            sent.push(script.requests().len());
        }
        let due = (1..=30).filter(|day| sent[day - 1] > if *day == 1 { 0 } else { sent[day - 2] });
        assert_eq!(due.collect::<Vec<_>>(), [1, 3, 7, 14, 30]);
        let wanted = json!({ "mail": "ada@example.com", "sent": 5, "unsubscribed": false });
        assert_eq!(script.finish().unwrap(), wanted);
        script.check_replay();
    }

    #[test]
    fn no_mail_has_the_key_of_another() {
        let mut script = script();
        script.advance("30 days");
        let requests = script.requests();
        let keys = requests.iter().map(|request| request.idempotency_key());
        assert_eq!(keys.collect::<std::collections::BTreeSet<_>>().len(), 5);
        assert_eq!(requests[4].json(), json!({ "to": "ada@example.com", "number": 5 }));
    }

    #[test]
    fn a_reader_who_has_had_enough_gets_no_more() {
        let mut script = script();
        script.advance("5 days");
        script.publish("mail.unsubscribed", json!({ "mail": "bob@example.com" }), json!({}));
        script.advance("5 days");
        script.publish("mail.unsubscribed", json!({ "mail": "ada@example.com" }), json!({}));
        let wanted = json!({ "mail": "ada@example.com", "sent": 3, "unsubscribed": true });
        assert_eq!(script.finish().unwrap(), wanted);
        assert_eq!(script.requests().len(), 3);
        script.check_replay();
    }

    #[test]
    fn a_typing_error_shows_before_the_first_mail() {
        let input = json!({ "mail": "ada@example.com", "after": ["1 day", "1 fortnight"] });
        let mut script = Script::new(run).input(input);
        let error = script.finish().unwrap_err();
        assert!(error.is_fatal() && error.message().contains("`1 fortnight`"), "{error}");
        assert!(script.calls().is_empty());
    }
}
