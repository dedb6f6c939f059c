//! Models that replay a script: `scripted/lorem?…` (see [`Lorem`]) and `scripted:<path>` or
//! `scripted/file?path=<path>` (see [`Script`]). For tests and demos; the name always says so.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aideator_contract::{Code, Reason};
use futures::{StreamExt as _, stream};
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::lorem::{LOREM_NAME, Lorem};
use super::script::{SCRIPT_BYTES, Script, Step};
use super::{Answer, Model, ModelEvent, ModelRequest, Tokens, estimated_tokens};

/// Whether a model of this name is scripted.
pub fn is_scripted(name: &str) -> bool {
    name.starts_with("scripted/") || name.starts_with("scripted:")
}

/// The whole text a scripted model says, as `aideator scripted` prints it.
///
/// # Errors
/// The name is not understood or the script cannot be read.
pub async fn scripted_text(name: &str) -> Result<String, Reason> {
    Ok(match Scripted::open(name).await?.part {
        Part::Lorem(lorem) => lorem.text(),
        Part::Script(script) => script.text(),
    })
}

/// A model that replays.
pub(super) struct Scripted {
    part: Part,
    /// How often it was asked.
    calls: AtomicUsize,
}

enum Part {
    Lorem(Lorem),
    Script(Script),
}

impl Scripted {
    pub(super) async fn open(name: &str) -> Result<Self, Reason> {
        let part = match path_in(name) {
            Some(path) => Part::Script(read_script(path).await?),
            None if name.starts_with(LOREM_NAME) => Part::Lorem(name.parse()?),
            None => {
                return Err(Reason::new(
                    Code::UnknownModel,
                    format!(
                        "there is no scripted model {name:?}: use {LOREM_NAME}?chunks=N&rate=R&seed=S or scripted:<path>"
                    ),
                ));
            }
        };
        Ok(Self {
            part,
            calls: AtomicUsize::new(0),
        })
    }
}

impl Model for Scripted {
    fn ask(&self, request: ModelRequest) -> Answer {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match &self.part {
            Part::Lorem(lorem) => play_lorem(lorem, input_tokens(&request)),
            Part::Script(script) => play_script(script.call(call)),
        }
    }
}

fn path_in(name: &str) -> Option<&str> {
    name.strip_prefix("scripted/file?path=")
        .or_else(|| name.strip_prefix("scripted:"))
}

async fn read_script(path: &str) -> Result<Script, Reason> {
    let unreadable = |error: std::io::Error| {
        Reason::new(
            Code::ScriptError,
            format!("the script {path:?} can't be read: {error}"),
        )
    };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = String::new();
    file.take(SCRIPT_BYTES)
        .read_to_string(&mut text)
        .await
        .map_err(unreadable)?;
    Script::parse(&text)
}

fn input_tokens(request: &ModelRequest) -> u64 {
    estimated_tokens(request.system.len() + request.prompt.len())
}

/// Chunks come when they are due by the clock, however long the one before took to be taken.
fn play_lorem(lorem: &Lorem, input: u64) -> Answer {
    let all = lorem.reasoning + lorem.chunks;
    let schedule = lorem.clone();
    let said = stream::unfold((0, None, 0), move |(index, start, bytes)| {
        let lorem = schedule.clone();
        async move {
            let start = start.unwrap_or_else(Instant::now);
            if index < all {
                tokio::time::sleep_until(start + lorem.due(index)).await;
                let (event, bytes) = if index < lorem.reasoning {
                    let chunk = lorem.reasoning_chunk(index);
                    let bytes = bytes + chunk.len();
                    (ModelEvent::ReasoningDelta(chunk), bytes)
                } else {
                    let chunk = lorem.chunk(index - lorem.reasoning);
                    let bytes = bytes + chunk.len();
                    (ModelEvent::TextDelta(chunk), bytes)
                };
                return Some((event, (index + 1, Some(start), bytes)));
            }
            let last = match index - all {
                0 => ModelEvent::Usage(Tokens {
                    input,
                    output: estimated_tokens(bytes),
                    ..Tokens::default()
                }),
                1 => ModelEvent::Finish("stop".to_owned()),
                _ => return None,
            };
            Some((last, (index + 1, Some(start), bytes)))
        }
    });
    said.map(Ok).boxed()
}

fn play_script(mut steps: Vec<Step>) -> Answer {
    let ended = matches!(
        steps.last(),
        Some(Step::Fail(_) | Step::Say(ModelEvent::Finish(_)))
    );
    if !ended {
        steps.push(Step::Say(ModelEvent::Finish("stop".to_owned())));
    }
    stream::iter(steps)
        .filter_map(|step| async {
            match step {
                Step::Wait(time) => {
                    tokio::time::sleep(time.min(Duration::from_secs(3600))).await;
                    None
                }
                Step::Say(event) => Some(Ok(event)),
                Step::Fail(reason) => Some(Err(reason.into())),
            }
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::Fault;
    use super::*;

    fn request(model: &str) -> ModelRequest {
        ModelRequest {
            model: model.into(),
            system: String::new(),
            prompt: "hi".into(),
            temperature: None,
        }
    }

    async fn all(model: &Scripted) -> Vec<Result<ModelEvent, Fault>> {
        model.ask(request("m")).collect().await
    }

    fn text(events: &[Result<ModelEvent, Fault>]) -> String {
        events
            .iter()
            .filter_map(|event| match event {
                Ok(ModelEvent::TextDelta(text)) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    #[tokio::test]
    async fn lorem_says_what_its_parameters_say() {
        let name = "scripted/lorem?chunks=20&rate=0&seed=3&reasoning=4";
        let model = Scripted::open(name).await.unwrap();
        let events = all(&model).await;
        assert_eq!(text(&events), scripted_text(name).await.unwrap());
        assert_eq!(events.len(), 4 + 20 + 2);
        assert_eq!(events.last(), Some(&Ok(ModelEvent::Finish("stop".into()))));
    }

    #[tokio::test(start_paused = true)]
    async fn lorem_keeps_its_rate() {
        let model = Scripted::open("scripted/lorem?chunks=101&rate=10")
            .await
            .unwrap();
        let start = Instant::now();
        let mut answer = model.ask(request("m"));
        while let Some(event) = answer.next().await {
            event.unwrap();
            // A slow reader in between does not slow the schedule down.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert!(
            start.elapsed() < Duration::from_millis(10_200),
            "{:?}",
            start.elapsed()
        );
        assert!(start.elapsed() >= Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_script_file_is_played_and_fails_where_it_says() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{\"text\":\"a\"}\n{\"delay_ms\":5000}\n{\"error\":{\"code\":\"rate-limited\",\"message\":\"slow\"}}\n{\"text\":\"b\"}\n")
            .unwrap();
        let name = format!("scripted:{}", file.path().display());
        let model = Scripted::open(&name).await.unwrap();
        let first = all(&model).await;
        assert_eq!(
            first.last(),
            Some(&Err(Reason::new(Code::RateLimited, "slow").into()))
        );
        let second = all(&model).await;
        assert_eq!(text(&second), "b");
        assert_eq!(scripted_text(&name).await.unwrap(), "ab");
    }

    #[tokio::test]
    async fn a_name_nobody_knows_is_refused() {
        let reason = Scripted::open("scripted/hamlet").await.err().unwrap();
        assert_eq!(reason.code, Code::UnknownModel);
        let reason = Scripted::open("scripted:/does/not/exist")
            .await
            .err()
            .unwrap();
        assert_eq!(reason.code, Code::ScriptError);
    }
}
