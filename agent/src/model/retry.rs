//! Asks again when a model's server says "not now": visibly, a few times, with growing pauses.
//!
//! Before the first token a retry is only told; after it the text begins again, which is marked with
//! `Reset` and never appended.

use std::sync::Arc;
use std::time::Duration;

use aideator_contract::Code;
use futures::{StreamExt as _, stream};

use super::{Answer, Fault, Model, ModelEvent, ModelRequest};

/// The pause before the first retry; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A model that is asked again when that may help.
pub(super) struct Persistent<M> {
    model: Arc<M>,
}

impl<M: Model + 'static> Persistent<M> {
    pub(super) fn new(model: M) -> Self {
        Self {
            model: Arc::new(model),
        }
    }
}

/// How often a call that failed with `code` is made again.
fn retries(code: &Code) -> u32 {
    match code {
        Code::RateLimited => 4,
        Code::ModelUnreachable => 2,
        _ => 0,
    }
}

/// How long to wait before the call is made again, if that may help.
fn pause(fault: &Fault, retried: u32) -> Option<Duration> {
    let ours = FIRST_PAUSE * 2_u32.pow(retried.min(6));
    let theirs = fault.after.unwrap_or_default().min(LONGEST_PAUSE);
    (retried < retries(&fault.reason.code)).then(|| ours.max(theirs))
}

/// Where an answer is.
struct Asking<M> {
    model: Arc<M>,
    request: ModelRequest,
    answer: Option<Answer>,
    retried: u32,
    /// The answer has said something that people see.
    shown: bool,
    /// A pause is due before the call is made again, and whether `Reset` is due after it.
    pause: Option<Duration>,
    reset: Option<String>,
    over: bool,
}

impl<M: Model + 'static> Model for Persistent<M> {
    fn ask(&self, request: ModelRequest) -> Answer {
        let asking = Asking {
            model: Arc::clone(&self.model),
            request,
            answer: None,
            retried: 0,
            shown: false,
            pause: None,
            reset: None,
            over: false,
        };
        stream::unfold(asking, |mut asking| async move {
            asking.next().await.map(|event| (event, asking))
        })
        .boxed()
    }
}

impl<M: Model> Asking<M> {
    async fn next(&mut self) -> Option<Result<ModelEvent, Fault>> {
        if self.over {
            return None;
        }
        if let Some(time) = self.pause.take() {
            tokio::time::sleep(time).await;
        }
        if let Some(why) = self.reset.take() {
            self.shown = false;
            return Some(Ok(ModelEvent::Reset(why)));
        }
        let answer = self
            .answer
            .get_or_insert_with(|| self.model.ask(self.request.clone()));
        match answer.next().await {
            Some(Ok(event)) => {
                self.shown |= matches!(
                    event,
                    ModelEvent::TextDelta(_)
                        | ModelEvent::ReasoningDelta(_)
                        | ModelEvent::ToolCall { .. }
                );
                Some(Ok(event))
            }
            Some(Err(fault)) => Some(self.failed(fault)),
            None => {
                self.over = true;
                None
            }
        }
    }

    fn failed(&mut self, fault: Fault) -> Result<ModelEvent, Fault> {
        let Some(time) = pause(&fault, self.retried) else {
            self.over = true;
            return Err(fault);
        };
        self.retried += 1;
        self.answer = None;
        self.pause = Some(time);
        let line = format!(
            "{}; asking again in {} s (retry {} of {})",
            fault.reason.message,
            time.as_secs(),
            self.retried,
            retries(&fault.reason.code)
        );
        if self.shown {
            self.reset = Some(fault.reason.message);
        }
        Ok(ModelEvent::Retrying(line))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aideator_contract::Reason;

    use super::*;

    /// Plays one list of events per call.
    struct Calls(Mutex<Vec<Vec<Result<ModelEvent, Fault>>>>);

    impl Model for Calls {
        fn ask(&self, _: ModelRequest) -> Answer {
            stream::iter(self.0.lock().unwrap().remove(0)).boxed()
        }
    }

    async fn play(calls: Vec<Vec<Result<ModelEvent, Fault>>>) -> Vec<Result<ModelEvent, Fault>> {
        let model = Persistent::new(Calls(Mutex::new(calls)));
        let request = ModelRequest {
            model: "m".into(),
            system: String::new(),
            prompt: String::new(),
            temperature: None,
        };
        model.ask(request).collect().await
    }

    fn text(text: &str) -> Result<ModelEvent, Fault> {
        Ok(ModelEvent::TextDelta(text.into()))
    }

    fn limited() -> Result<ModelEvent, Fault> {
        Err(Reason::new(Code::RateLimited, "too fast").into())
    }

    #[tokio::test(start_paused = true)]
    async fn before_the_first_token_a_retry_is_told_and_nothing_is_reset() {
        let events = play(vec![vec![limited()], vec![text("a")]]).await;
        assert!(
            matches!(&events[0], Ok(ModelEvent::Retrying(line)) if line.contains("retry 1 of 4"))
        );
        assert_eq!(events[1..], [text("a")]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_tokens_the_text_begins_again() {
        let events = play(vec![vec![text("a"), limited()], vec![text("a"), text("b")]]).await;
        assert!(matches!(events[1], Ok(ModelEvent::Retrying(_))));
        assert_eq!(events[2], Ok(ModelEvent::Reset("too fast".into())));
        assert_eq!(events[3..], [text("a"), text("b")]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_in_the_end_and_at_once_where_nothing_helps() {
        let events = play(vec![vec![limited()]; 5]).await;
        assert_eq!(events.len(), 5);
        assert_eq!(events[4], limited());
        let wrong_key = Err(Reason::new(Code::WrongModelKey, "no").into());
        assert_eq!(play(vec![vec![wrong_key.clone()]]).await, [wrong_key]);
    }

    #[test]
    fn a_server_that_says_when_is_believed_within_reason() {
        let mut fault = Fault::from(Reason::new(Code::RateLimited, "later"));
        fault.after = Some(Duration::from_secs(20));
        assert_eq!(pause(&fault, 0), Some(Duration::from_secs(20)));
        fault.after = Some(Duration::from_secs(6000));
        assert_eq!(pause(&fault, 0), Some(LONGEST_PAUSE));
    }
}
