//! The judging of a run request: everything that can be judged without asking anybody.

use crate::canonical;
use crate::ids::RunId;
use crate::limits;
use crate::reason::{Code, Reason};
use crate::repository::{Repository, RepositoryPolicy};
use crate::request::{RunRequest, VariationRequest, Variations};
use crate::spec::{Mode, RunSpec, Source, VariationSpec};

/// What an installation brings to the judging of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Installation {
    /// The model of who names none.
    pub default_model: String,
    /// Models that may be asked for: names, or beginnings ending in `*`. Empty: any.
    pub models: Vec<String>,
    /// Whether mode `exec` is allowed.
    pub allow_exec: bool,
    /// Which repositories are allowed.
    pub repositories: RepositoryPolicy,
}

/// A run request that is in order, but for its repository, which nobody has asked yet.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidRun {
    /// The id it asked for.
    pub run_id: Option<RunId>,
    /// What is to be done; the source's commit is not resolved.
    pub spec: RunSpec,
    /// Where the repository is.
    pub repository: Option<Repository>,
}
impl RunRequest {
    /// The SHA-256 that tells whether two requests ask for the same: of everything but the run's name.
    #[must_use]
    pub fn sha256(&self) -> String {
        canonical::sha256_of(&Self {
            run_id: None,
            ..self.clone()
        })
    }

    /// Judges everything that can be judged without asking anybody.
    pub fn validate(&self, at: &Installation) -> Result<ValidRun, Reason> {
        let run_id = self
            .run_id
            .as_ref()
            .map(|id| {
                id.parse()
                    .map_err(|e| Reason::new(Code::BadRunId, format!("run_id: {e}")))
            })
            .transpose()?;
        if self.prompt.trim().is_empty() {
            return Err(bad("prompt is empty"));
        }
        if self.prompt.trim().len() > limits::PROMPT_BYTES {
            let (is, most) = (self.prompt.trim().len(), limits::PROMPT_BYTES);
            return Err(Reason::new(
                Code::TooLarge,
                format!("prompt has {is} bytes; at most {most} are allowed"),
            ));
        }
        let mode = self.mode.unwrap_or_default();
        if mode == Mode::Exec && !at.allow_exec {
            return Err(Reason::new(
                Code::ExecNotAllowed,
                "mode exec is not allowed here; start with `aideator up --allow-exec` to allow it",
            ));
        }
        let deadline_s = self.deadline_s.unwrap_or(limits::DEADLINE_S);
        if !(1..=limits::DEADLINE_MAX_S).contains(&deadline_s) {
            return Err(bad(format!(
                "deadline_s is 1 to {}; got {deadline_s}",
                limits::DEADLINE_MAX_S
            )));
        }
        fits(
            "requester",
            self.requester.as_deref(),
            limits::REQUESTER_BYTES,
        )?;
        fits("ref", self.reference.as_deref(), limits::REPOSITORY_BYTES)?;
        if let Some(reference) = &self.reference {
            check_reference(reference)?;
        }
        let repository = self
            .repo
            .as_deref()
            .map(|r| Repository::parse(r, &at.repositories))
            .transpose()?;
        if repository.is_none() && self.reference.is_some() {
            return Err(bad("ref is given without repo"));
        }
        let source = repository.as_ref().map(|r| self.source(r));
        let variations = self.variations(at, mode)?;
        let spec = RunSpec {
            prompt: self.prompt.clone(),
            source,
            mode,
            variations,
            deadline_s,
            requester: self.requester.clone(),
        };
        Ok(ValidRun {
            run_id,
            spec,
            repository,
        })
    }

    fn source(&self, repository: &Repository) -> Source {
        let (repo, trusted) = match repository {
            Repository::Http { url, trusted } => (url.to_string(), *trusted),
            Repository::Path(path) => (path.clone(), false),
        };
        Source {
            repo,
            reference: self.reference.clone(),
            commit: None,
            trusted,
        }
    }

    fn variations(&self, at: &Installation, mode: Mode) -> Result<Vec<VariationSpec>, Reason> {
        let asked = match &self.variations {
            None => vec![VariationRequest::default()],
            Some(Variations::Count(count)) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                check_count(count)?;
                vec![VariationRequest::default(); count]
            }
            Some(Variations::List(list)) => {
                check_count(list.len())?;
                list.clone()
            }
        };
        asked
            .into_iter()
            .map(|one| self.variation(one, at, mode))
            .collect()
    }

    fn variation(
        &self,
        one: VariationRequest,
        at: &Installation,
        mode: Mode,
    ) -> Result<VariationSpec, Reason> {
        let model = one.model.or_else(|| self.model.clone());
        let model = match mode {
            Mode::Exec => String::from("exec"),
            Mode::Analyze => model.unwrap_or_else(|| at.default_model.clone()),
        };
        if mode != Mode::Exec {
            check_model(&model, &at.models)?;
        }
        let temperature = one.temperature.or(self.temperature);
        if temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
            return Err(bad("temperature is 0 to 2"));
        }
        let instructions = one.instructions.or_else(|| self.instructions.clone());
        fits(
            "instructions",
            instructions.as_deref(),
            limits::INSTRUCTIONS_BYTES,
        )?;
        Ok(VariationSpec {
            model,
            temperature,
            instructions,
        })
    }
}

fn bad(message: impl Into<String>) -> Reason {
    Reason::new(Code::BadValue, message)
}

/// Refuses a text that is longer than `most` bytes, by the name of its field.
pub fn fits(field: &str, text: Option<&str>, most: usize) -> Result<(), Reason> {
    match text {
        Some(text) if text.len() > most => Err(Reason::new(
            Code::TooLarge,
            format!(
                "{field} has {} bytes; at most {most} are allowed",
                text.len()
            ),
        )),
        _ => Ok(()),
    }
}

fn check_count(count: usize) -> Result<(), Reason> {
    if (1..=limits::VARIATIONS).contains(&count) {
        Ok(())
    } else {
        Err(bad(format!(
            "variations is 1 to {}; got {count}",
            limits::VARIATIONS
        )))
    }
}

/// The rules of `git check-ref-format` that matter before a ref meets a command line or an address.
fn check_reference(reference: &str) -> Result<(), Reason> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let refused = reference.is_empty()
        || reference.starts_with(['-', '/'])
        || reference.ends_with(['/', '.'])
        || reference.contains("..")
        || reference.contains("@{")
        || reference.chars().any(odd);
    if refused {
        return Err(bad(format!(
            "ref {reference:?} is no name of a branch, tag or commit"
        )));
    }
    Ok(())
}

fn check_model(model: &str, known: &[String]) -> Result<(), Reason> {
    fits("model", Some(model), limits::MODEL_BYTES)?;
    let unknown = |message: String| Err(Reason::new(Code::UnknownModel, message));
    if model.trim().is_empty() || model.chars().any(char::is_control) {
        return unknown("no model is named, and this installation has no default".into());
    }
    let fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => model.starts_with(beginning),
        None => model == pattern,
    };
    if known.is_empty() || known.iter().any(fits) {
        return Ok(());
    }
    unknown(format!(
        "there is no model {model:?} here; there are: {}",
        known.join(", ")
    ))
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{PickRequest, parse};

    fn here() -> Installation {
        Installation {
            default_model: "scripted/lorem".into(),
            models: vec!["scripted/*".into(), "local/smollm2".into()],
            ..Installation::default()
        }
    }

    fn judge(json: &str) -> Result<ValidRun, Reason> {
        parse::<RunRequest>(json.as_bytes())?.validate(&here())
    }

    #[test]
    fn a_prompt_is_enough() {
        let run = judge(r#"{"prompt":" What does it do?\n"}"#).unwrap();
        assert_eq!(run.spec.prompt, " What does it do?\n");
        assert_eq!(run.spec.variations.len(), 1);
        assert_eq!(run.spec.variations[0].model, "scripted/lorem");
        assert_eq!(run.spec.deadline_s, 1800);
    }

    #[test]
    fn variations_take_what_they_leave_out_from_the_request() {
        let run = judge(
            r#"{"prompt":"p","temperature":0.5,"variations":[{},{"model":"local/smollm2","temperature":1}]}"#,
        )
        .unwrap();
        assert_eq!(run.spec.variations[0].temperature, Some(0.5));
        assert_eq!(run.spec.variations[1].model, "local/smollm2");
        assert_eq!(run.spec.variations[1].temperature, Some(1.0));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_name() {
        let long = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(limits::PROMPT_BYTES + 1));
        let huge = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(limits::REQUEST_BYTES));
        for (json, code, word) in [
            ("nonsense", Code::BadJson, "JSON"),
            ("[]", Code::BadValue, "RunRequest"),
            ("{}", Code::BadValue, "prompt"),
            (r#"{"prompt":"p","promt":1}"#, Code::UnknownField, "promt"),
            (
                r#"{"prompt":"p","variations":[{"modl":"x"}]}"#,
                Code::UnknownField,
                "modl",
            ),
            (r#"{"prompt":"  "}"#, Code::BadValue, "prompt is empty"),
            (&long, Code::TooLarge, "prompt"),
            (&huge, Code::TooLarge, "request"),
            (r#"{"prompt":"p","variations":0}"#, Code::BadValue, "1 to 5"),
            (r#"{"prompt":"p","variations":6}"#, Code::BadValue, "1 to 5"),
            (
                r#"{"prompt":"p","variations":-1}"#,
                Code::BadValue,
                "1 to 5",
            ),
            (
                r#"{"prompt":"p","variations":[]}"#,
                Code::BadValue,
                "1 to 5",
            ),
            (r#"{"prompt":"p","run_id":"A b"}"#, Code::BadRunId, "run id"),
            (
                r#"{"prompt":"p","model":"gpt-9"}"#,
                Code::UnknownModel,
                "gpt-9",
            ),
            (
                r#"{"prompt":"p","mode":"exec"}"#,
                Code::ExecNotAllowed,
                "--allow-exec",
            ),
            (r#"{"prompt":"p","mode":"dream"}"#, Code::BadValue, "dream"),
            (
                r#"{"prompt":"p","repo":"file:///etc"}"#,
                Code::RepositoryAddress,
                "file://",
            ),
            (
                r#"{"prompt":"p","repo":"https://10.0.0.1/a"}"#,
                Code::PrivateAddress,
                "10.0.0.1",
            ),
            (
                r#"{"prompt":"p","ref":"main"}"#,
                Code::BadValue,
                "without repo",
            ),
            (
                r#"{"prompt":"p","repo":"https://a.example/r","ref":"--upload-pack=x"}"#,
                Code::BadValue,
                "ref",
            ),
            (
                r#"{"prompt":"p","deadline_s":0}"#,
                Code::BadValue,
                "deadline_s",
            ),
            (
                r#"{"prompt":"p","temperature":3}"#,
                Code::BadValue,
                "temperature",
            ),
        ] {
            let reason = judge(json).expect_err(&json[..json.len().min(80)]);
            assert_eq!(reason.code, code, "{reason}");
            assert!(reason.message.contains(word), "{word:?} is not in {reason}");
        }
    }

    #[test]
    fn the_digest_ignores_the_name_and_the_order_but_nothing_else() {
        let sha = |json: &str| parse::<RunRequest>(json.as_bytes()).unwrap().sha256();
        let one = sha(r#"{"prompt":"p","variations":2,"run_id":"a"}"#);
        assert_eq!(one, sha(r#"{"run_id":"b","variations":2,"prompt":"p"}"#));
        assert_ne!(one, sha(r#"{"prompt":"p","variations":3}"#));
        assert_ne!(one, sha(r#"{"prompt":"p ","variations":2}"#));
    }

    #[test]
    fn a_bad_id_or_variation_in_a_command_has_its_own_code() {
        assert_eq!(
            parse::<PickRequest>(br#"{"run_id":"-","variation":0}"#)
                .unwrap_err()
                .code,
            Code::BadRunId
        );
        assert_eq!(
            parse::<PickRequest>(br#"{"run_id":"a","variation":7}"#)
                .unwrap_err()
                .code,
            Code::UnknownVariation
        );
    }
}
