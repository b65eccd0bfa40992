//! A step that asks a person. It makes a URL that nobody can guess, sends it to
//! whoever tells people, and waits for the answer that is posted to it.

use segno::prelude::*;
use segno::{http, signals, timers};
use serde::{Deserialize, Serialize};

/// What to ask.
#[derive(Debug, Deserialize)]
pub struct Question {
    /// One sentence that is answered by yes or no.
    pub question: String,
    /// The URL of the service that tells people; without one the log does.
    #[serde(default)]
    pub service: String,
    /// How long to wait for the answer.
    #[serde(default = "three_days")]
    pub deadline: String,
}

/// What is posted to the URL, and what the step returns.
#[derive(Debug, Deserialize, Serialize)]
pub struct Decision {
    /// Yes or no.
    pub approved: bool,
    /// Who decided.
    pub by: String,
    /// Anything that they want to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Asks, and returns the decision. No answer in time is a failure for good: it
/// is not for the step to decide what silence means.
#[segno::step]
pub fn run(question: Question) -> Result<Decision> {
    let deadline = timers::duration(&question.deadline).context("reading `deadline`")?;
    let url = signals::one_time_url("approval");
    tell(&question, &url)?;
    let answer = signals::for_this_run("approval").timeout(deadline).receive::<Decision>()?;
    let Some(answer) = answer else {
        let Question { question, deadline, .. } = question;
        return Err(fatal!("nobody answered within {deadline}: {question}"));
    };
    let decision = answer.payload;
    info!("{} said {}", decision.by, if decision.approved { "yes" } else { "no" });
    Ok(decision)
}

fn tell(question: &Question, url: &str) -> Result<()> {
    let Question { question, service, .. } = question;
    if service.is_empty() {
        info!("{question} Post {{\"approved\": true, \"by\": \"…\"}} to {url}");
        return Ok(());
    }
    http::post(format!("{}/notify", service.trim_end_matches('/')))
        .json(&json!({ "question": question, "url": url }))
        .send()?
        .error_for_status()?;
    Ok(())
}

fn three_days() -> String {
    "3 days".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno::testing::Script;

    fn script() -> Script {
        let input = json!({ "question": "Ship it?", "service": "http://127.0.0.1:7070" });
        Script::new(run).input(input).http("POST", "http://127.0.0.1:7070/notify", 200, json!({}))
    }

    #[test]
    fn whoever_has_the_url_decides() {
        let mut script = script();
        let waiting = script.run_until_suspended();
        assert_eq!(waiting.assert_signal("approval").left(), Some(days(3)));
        let notice = script.requests()[0].json();
        assert_eq!(notice["question"], "Ship it?");
        let url = notice["url"].as_str().unwrap();
        script.advance("2 days").post(url, json!({ "approved": false, "by": "Ada" }));
        assert_eq!(script.finish().unwrap(), json!({ "approved": false, "by": "Ada" }));
        assert_eq!(script.log(), ["Ada said no"]);
        script.check_replay();
    }

    #[test]
    fn silence_is_a_failure_for_good() {
        let mut script = script();
        let error = script.advance("3 days").finish().unwrap_err();
        assert!(error.is_fatal());
        assert_eq!(error.message(), "nobody answered within 3 days: Ship it?");
        script.check_replay();
    }

    #[test]
    fn without_a_service_the_log_has_the_url() {
        let input = json!({ "question": "Ship it?", "deadline": "1h" });
        let mut script = Script::new(run).input(input);
        assert_eq!(script.run_until_suspended().left(), Some(hours(1)));
        let line = script.log().remove(0);
        let url = line.rsplit_once(' ').unwrap().1;
        script.post(url, json!({ "approved": true, "by": "Ada", "note": "at last" }));
        assert_eq!(script.finish().unwrap()["note"], "at last");
        assert!(script.requests().is_empty());
    }

    #[test]
    fn an_answer_that_is_none_fails_and_says_where() {
        let mut script = script();
        script.run_until_suspended();
        script.signal_run("approval", json!({ "approved": "perhaps", "by": "Ada" }));
        let error = script.finish().unwrap_err();
        assert!(error.message().contains("`approval` does not fit at `approved`"), "{error}");
    }
}
