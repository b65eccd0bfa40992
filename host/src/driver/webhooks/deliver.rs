//! A request to a webhook: is it signed, when, what is it, and what became of
//! it. First what its headers claim, then the bytes of its body, and only then
//! what they say.

use super::super::{Driver, Publish, PublishError, Published};
use super::{Hook, WebhookError, deliveries, present};
use crate::store::{self, DeliveryOutcome, DeliveryRecord, Ticket};
use segno_engine::id::TenantId;
use segno_engine::signal::Publisher;
use segno_engine::webhook::{Claim, Mapped, Request, Unfit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A request, before its body is read.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// The headers, with their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What stands behind the `?` of the URL.
    pub query: String,
    /// Where it comes from.
    pub remote: Option<String>,
}

/// A request whose headers claim a signature: its body is worth reading.
pub struct Admitted {
    tenant: TenantId,
    hook: Arc<Hook>,
    claim: Claim,
    incoming: Incoming,
}

/// What became of a request.
#[derive(Debug)]
pub enum Delivered {
    /// A signal, now or by an earlier delivery with the same id.
    Signal(Published),
    /// Nothing, since `when` does not hold.
    Ignored {
        /// Its id.
        id: String,
    },
    /// It is answered with this.
    Challenge(String),
}

/// Why a request was refused. It says nothing that helps whoever does not know
/// the secret.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// There is no such webhook, or it is disabled.
    #[error("there is no webhook here that takes requests")]
    Unknown,
    /// It is not signed as it should be.
    #[error("the signature does not hold; see that both sides have the same secret")]
    BadSignature,
    /// It is signed, but not lately.
    #[error("the request was not signed lately; send it anew, with the clock set right")]
    TooOld,
    /// No secret can be used.
    #[error("this webhook is not ready; its deliveries say more")]
    NoSecret,
    /// No signal can be made of it.
    #[error("no signal can be made of this request: {0}")]
    Unfit(#[from] Unfit),
    /// The signal was not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Driver {
    /// Looks at what a request claims, before its body is read.
    ///
    /// # Errors
    /// There is no such webhook, it is disabled, or nothing claims a signature.
    pub fn admit_request(
        &self,
        tenant: &TenantId,
        name: &str,
        incoming: Incoming,
    ) -> Result<Admitted, DeliveryError> {
        let hook = self.webhook(tenant, name).map_err(|error| match error {
            WebhookError::Store(error) => DeliveryError::Store(error),
            _ => DeliveryError::Unknown,
        })?;
        let claim = hook
            .webhook
            .form
            .claim(|header| incoming.headers.get(header).map(String::as_str))
            .ok_or(DeliveryError::BadSignature);
        let is_enabled = hook.webhook.enabled;
        let note = |outcome, error| {
            let refused = Noted { outcome, id: None, signal: None, detail: None };
            self.note(tenant, &hook, incoming.remote.clone(), refused);
            Err(error)
        };
        match claim {
            _ if !is_enabled => note(DeliveryOutcome::Disabled, DeliveryError::Unknown),
            Err(error) => note(DeliveryOutcome::BadSignature, error),
            Ok(claim) => Ok(Admitted { tenant: tenant.clone(), hook, claim, incoming }),
        }
    }

    /// Notes that the body of a request is too large to look at.
    pub fn note_too_large(&self, admitted: &Admitted) {
        self.note_of(admitted, Noted::of(DeliveryOutcome::TooLarge));
    }

    /// Takes a request: it becomes one signal, however often it comes. Returns
    /// when that is on stable storage.
    ///
    /// # Errors
    /// It is not signed, not lately, or no signal can be made of it.
    pub async fn deliver(
        &self,
        admitted: Admitted,
        body: &[u8],
    ) -> Result<Delivered, DeliveryError> {
        self.check_signature(&admitted, body)?;
        let Admitted { hook, claim, incoming, .. } = &admitted;
        let Incoming { headers, query, .. } = incoming;
        let mapped = hook.webhook.map(Request { headers, query, body, claim });
        let (ticket, delivered) = match mapped {
            Ok(mapped) => self.order_delivery(&admitted, mapped),
            Err(unfit) => self.unfit(&admitted, unfit, None),
        };
        ticket.durable().await?;
        delivered
    }

    /// Whether one of the secrets bears out what the headers claim, and when.
    fn check_signature(&self, admitted: &Admitted, body: &[u8]) -> Result<(), DeliveryError> {
        let Admitted { tenant, hook, claim, .. } = admitted;
        let (mut has_secret, mut holds, mut missing) = (false, false, None);
        for name in &hook.webhook.source.secrets {
            match self.reveal(tenant, name) {
                Ok(secret) => {
                    has_secret = true;
                    holds |= claim.holds(secret.as_bytes(), body);
                }
                // Not for the server's log: whoever knows no secret can ask often.
                Err(error) => missing = Some(error.to_string()),
            }
        }
        if !has_secret {
            let noted = Noted { detail: missing, ..Noted::of(DeliveryOutcome::NoSecret) };
            self.note_of(admitted, noted);
            return Err(DeliveryError::NoSecret);
        }
        if !holds {
            self.note_of(admitted, Noted::of(DeliveryOutcome::BadSignature));
            return Err(DeliveryError::BadSignature);
        }
        let window_ms = self.replay_window_ms(hook.webhook.tolerance_ms);
        if !claim.is_recent(self.0.clock.now().0, window_ms) {
            let is_cut = window_ms < hook.webhook.tolerance_ms;
            let detail = is_cut.then(|| {
                format!("the host keeps signals so shortly that only {window_ms} ms of `tolerance` count")
            });
            self.note_of(admitted, Noted { detail, ..Noted::of(DeliveryOutcome::TooOld) });
            return Err(DeliveryError::TooOld);
        }
        Ok(())
    }

    /// How far from now the time of a signature may be. A request may come again
    /// for twice as long, and its id has to be known until then: as long as its
    /// signal is kept.
    fn replay_window_ms(&self, tolerance_ms: u64) -> u64 {
        // Parts of a second count for nothing in signatures.
        tolerance_ms.min((self.signal_retention_ms() / 2).saturating_sub(1_000))
    }

    /// Orders what a good request is. The ticket covers all of it.
    fn order_delivery(
        &self,
        admitted: &Admitted,
        mapped: Mapped,
    ) -> (Ticket, Result<Delivered, DeliveryError>) {
        let (name, id, params, payload) = match mapped {
            Mapped::Signal { name, id, params, payload } => (name, id, params, payload),
            Mapped::Ignored { id } => {
                let noted = Noted { id: Some(id.clone()), ..Noted::of(DeliveryOutcome::Ignored) };
                return (self.note_of(admitted, noted), Ok(Delivered::Ignored { id }));
            }
            Mapped::Challenge(answer) => {
                let ticket = self.note_of(admitted, Noted::of(DeliveryOutcome::Challenge));
                return (ticket, Ok(Delivered::Challenge(answer)));
            }
        };
        let publisher = Publisher::Webhook { source: admitted.hook.record.name.clone() };
        let publish = Publish { name, id: Some(id.clone()), params, payload, publisher };
        let (published, detail) = match self.order_publish(&admitted.tenant, publish, Vec::new()) {
            Ok((published, _)) => (published, None),
            // The id says which delivery of this webhook it is: a second one makes
            // no other signal, even if it is mapped in another way by now.
            Err(PublishError::IdTaken { name, id, sequence }) => {
                let detail =
                    "the signal of this id has another name, other params or another payload";
                let published = Published { name, id, sequence, repeated: true };
                (published, Some(detail.to_owned()))
            }
            Err(error @ (PublishError::Busy | PublishError::Store(_))) => {
                return (Ticket::done(), Err(error.into()));
            }
            Err(error) => {
                let place = match &error {
                    PublishError::TooLarge { .. } => "payload",
                    PublishError::BadId => "id",
                    _ => "signal",
                };
                let unfit = Unfit { place: place.to_owned(), message: error.to_string() };
                return self.unfit(admitted, unfit, Some(id));
            }
        };
        let outcome = match published.repeated {
            true => DeliveryOutcome::Repeated,
            false => DeliveryOutcome::Published,
        };
        let signal = Some((published.name.clone(), published.sequence));
        let noted = Noted { outcome, id: Some(id), signal, detail };
        // Ordered behind the signal, and so durable after it.
        (self.note_of(admitted, noted), Ok(Delivered::Signal(published)))
    }

    fn unfit(
        &self,
        admitted: &Admitted,
        unfit: Unfit,
        id: Option<String>,
    ) -> (Ticket, Result<Delivered, DeliveryError>) {
        let detail = Some(unfit.to_string());
        let noted = Noted { id, detail, ..Noted::of(DeliveryOutcome::BadBody) };
        (self.note_of(admitted, noted), Err(unfit.into()))
    }

    fn note_of(&self, admitted: &Admitted, noted: Noted) -> Ticket {
        let Admitted { tenant, hook, incoming, .. } = admitted;
        self.note(tenant, hook, incoming.remote.clone(), noted)
    }

    /// Adds to the log of a webhook, if it is still there.
    fn note(
        &self,
        tenant: &TenantId,
        hook: &Arc<Hook>,
        remote: Option<String>,
        noted: Noted,
    ) -> Ticket {
        let name = &hook.record.name;
        let Noted { outcome, id, signal, detail } = noted;
        let at = self.0.clock.now();
        let (sequence, count, last_at) = (0, 1, None);
        let delivery =
            DeliveryRecord { sequence, outcome, at, last_at, count, remote, id, signal, detail };
        let mut all = self.0.webhooks.lock();
        let Ok(entry) = present(&mut all, &self.0.store, tenant, name) else {
            return self.0.store.barrier();
        };
        let records = entry.log.add(delivery);
        match records.is_empty() {
            true => self.0.store.barrier(),
            false => self.0.store.commit(deliveries(tenant, name, &records)),
        }
    }
}

/// What there is to say of a delivery.
struct Noted {
    outcome: DeliveryOutcome,
    id: Option<String>,
    signal: Option<(String, u64)>,
    detail: Option<String>,
}

impl Noted {
    fn of(outcome: DeliveryOutcome) -> Self {
        Self { outcome, id: None, signal: None, detail: None }
    }
}
