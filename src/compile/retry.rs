//! What is done about an answer that is not the last word: tried again, or followed elsewhere.

use super::context::Cx;
use super::request::convert;
use crate::base::diagnostic::Diagnostic;
use crate::base::units::{Share, Span};
use crate::plan::{Expect, Retry, RetryOn, StatusSet};
use crate::scenario::{self, Field};

const BACKOFF: Span = Span::millis(100);
const UP_TO: Span = Span::seconds(10);
const JITTER: Share = Share(0.5);

pub(super) fn retry(field: &Field<scenario::Retry>, expect: &Expect, cx: &mut Cx<'_>) -> Option<Retry> {
    let written = cx.get(field)?;
    cx.broken |= !written.complete;
    let times = cx.need(&written.times).and_then(|times| u32::try_from(times.value).ok());
    let backoff = cx.get(&written.backoff).map_or(BACKOFF, |backoff| backoff.value);
    let up_to = match cx.get(&written.up_to) {
        Some(up_to) => up_to.value,
        None => UP_TO.max(backoff),
    };
    if let Some(most) = written.up_to.get().filter(|_| up_to < backoff) {
        let message = format!("`up-to` is shorter than the first wait, {backoff}");
        cx.say(Diagnostic::error("range", most.mark, message));
    }
    let mut on = Vec::new();
    if let Some(list) = cx.need(&written.on) {
        for one in cx.items(&list.value.0) {
            let made = match one.value {
                scenario::RetryOn::Status(status) => RetryOn::Status(convert(status)),
                scenario::RetryOn::Word(scenario::RetryWord::Connect) => RetryOn::Connect,
                scenario::RetryOn::Word(scenario::RetryWord::Broken) => RetryOn::Broken,
                scenario::RetryOn::Word(scenario::RetryWord::Timeout) => RetryOn::Timeout,
            };
            if let RetryOn::Status(status) = made
                && is_good(status, &expect.status)
            {
                let message = "this status is what the step expects: it would never be tried again";
                cx.say(Diagnostic::error("given-twice", one.mark, message).help("leave it out here, or in `expect`"));
            }
            on.push(made);
        }
    }
    Some(Retry {
        times: times?,
        on,
        backoff,
        up_to,
        jitter: cx.get(&written.jitter).map_or(JITTER, |jitter| jitter.value),
        retry_after: cx.get(&written.retry_after).is_some_and(|heeds| heeds.value),
    })
}

/// How many redirects are followed at most.
pub(super) fn follow(field: &Field<u64>, expect: &Expect, cx: &mut Cx<'_>) -> Option<u32> {
    let written = cx.get(field)?;
    let redirect =
        [301, 302, 303, 307, 308].into_iter().find(|status| expect.status.iter().any(|set| set.holds(*status)));
    if let Some(status) = redirect {
        let message = format!("the step expects {status}: an answer that is expected is not followed");
        let wrong = Diagnostic::error("does-not-go", written.key, message);
        cx.say(wrong.help("expect what the last answer has, or leave `follow` out"));
    }
    u32::try_from(written.value).ok()
}

/// Whether every status of the set is one that is expected.
fn is_good(status: StatusSet, expected: &[StatusSet]) -> bool {
    let good = |status: StatusSet| match status {
        StatusSet::Exactly(exact) => expected.iter().any(|set| set.holds(exact)),
        StatusSet::Class(_) => expected.contains(&status),
    };
    match (expected, status) {
        ([], StatusSet::Exactly(exact)) => (200..300).contains(&exact),
        ([], StatusSet::Class(class)) => class == 2,
        _ => good(status),
    }
}
