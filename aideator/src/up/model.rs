//! Which model answers who names none, and which may be named. Pure.

/// The small model of a machine without a key, by the name it is asked by.
pub(crate) const SMALL_MODEL: &str = "local/smollm2-135m";
/// What answers when there is no model at all.
const NO_MODEL: &str = "scripted/lorem";
/// Always there, and always labelled by their names.
const SCRIPTED: [&str; 2] = ["scripted/*", "scripted:*"];

/// A provider, known by its key.
#[derive(Debug)]
pub(crate) struct Provider {
    /// The environment variable of its key.
    pub(crate) key: &'static str,
    /// The model of who names none.
    default_model: &'static str,
    /// The names of its models.
    models: &'static [&'static str],
}

/// Providers, the first with a key gives the default model.
pub(crate) const PROVIDERS: [Provider; 7] = [
    Provider {
        key: "OPENAI_API_KEY",
        default_model: "gpt-5-mini",
        models: &[
            "gpt-*",
            "o1*",
            "o3*",
            "o4*",
            "chatgpt-*",
            "codex-*",
            "openai::*",
        ],
    },
    Provider {
        key: "ANTHROPIC_API_KEY",
        default_model: "claude-sonnet-4-5",
        models: &["claude-*", "anthropic::*"],
    },
    Provider {
        key: "GEMINI_API_KEY",
        default_model: "gemini-2.5-flash",
        models: &["gemini-*", "gemini::*"],
    },
    Provider {
        key: "XAI_API_KEY",
        default_model: "grok-4",
        models: &["grok-*", "xai::*"],
    },
    Provider {
        key: "DEEPSEEK_API_KEY",
        default_model: "deepseek-chat",
        models: &["deepseek-*", "deepseek::*"],
    },
    Provider {
        key: "GROQ_API_KEY",
        default_model: "groq::llama-3.3-70b-versatile",
        models: &["groq::*"],
    },
    Provider {
        key: "COHERE_API_KEY",
        default_model: "command-a-03-2025",
        models: &["command-*", "cohere::*"],
    },
];

/// What the installation answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The model of who names none; empty: the server at the base URL is asked which it has.
    pub(crate) default_model: String,
    /// Models that may be asked for; empty: any.
    pub(crate) models: Vec<String>,
    /// A word about the default model, for the people who read its answers.
    pub(crate) note: Option<String>,
    /// Whether the small model is to be started.
    pub(crate) small: Small,
}

/// What becomes of the small model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Small {
    /// Nobody needs it.
    No,
    /// It is started.
    Start,
}

/// Chooses by what was typed, what the environment holds, and whether the small model is installed.
pub(crate) fn choose(
    given: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
    installed: bool,
) -> Choice {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.trim().is_empty());
    let given = given.map(str::to_owned);
    if is_set("AIDEATOR_BASE_URL") || is_set("OPENAI_BASE_URL") {
        return Choice {
            default_model: given.unwrap_or_default(),
            models: Vec::new(),
            note: None,
            small: Small::No,
        };
    }
    let providers: Vec<&Provider> = PROVIDERS
        .iter()
        .filter(|provider| is_set(provider.key))
        .collect();
    // Another model is never replaced by it: the answers would bear a name that did not give them.
    let wants_small = given
        .as_deref()
        .map_or(providers.is_empty(), |model| model == SMALL_MODEL);
    let small = if wants_small && installed {
        Small::Start
    } else {
        Small::No
    };

    // The small model's server takes every name that names no provider.
    let reaches = |model: &&&str| small == Small::No || model.contains("::");
    let mut models: Vec<String> = providers
        .iter()
        .flat_map(|provider| provider.models)
        .filter(reaches)
        .map(|model| (*model).to_owned())
        .collect();
    if small == Small::Start {
        models.push(SMALL_MODEL.to_owned());
    }
    models.extend(SCRIPTED.map(str::to_owned));
    let default_model = match (&given, providers.first(), small) {
        (Some(given), _, _) => given.clone(),
        (None, Some(provider), _) => provider.default_model.to_owned(),
        (None, None, Small::Start) => SMALL_MODEL.to_owned(),
        (None, None, Small::No) => NO_MODEL.to_owned(),
    };
    if given.is_some() && !models.iter().any(|model| fits(model, &default_model)) {
        models.insert(0, default_model.clone());
    }
    let note = note(&default_model, small);
    Choice {
        default_model,
        models,
        note,
        small,
    }
}

fn fits(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => model.starts_with(beginning),
        None => model == pattern,
    }
}

fn note(model: &str, small: Small) -> Option<String> {
    const REAL: &str = "For a good model start `aideator up` with OPENAI_API_KEY (or another provider's key, or OPENAI_BASE_URL).";
    if model == SMALL_MODEL && small == Small::No {
        return Some(format!(
            "SmolLM2-135M is not installed: it comes with `scripts/install-tools --model`. {REAL}"
        ));
    }
    if model == SMALL_MODEL {
        return Some(format!(
            "SmolLM2-135M runs on this machine: a very small model (135 million parameters). It streams real tokens and is often wrong. {REAL}"
        ));
    }
    model.starts_with("scripted").then(|| {
        format!(
            "No model is asked: {model} plays a fixed text. The small local model comes with `scripts/install-tools --model`. {REAL}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(given: Option<&str>, set: &[&str], installed: bool) -> Choice {
        choose(
            given,
            |name| set.contains(&name).then(|| String::from("x")),
            installed,
        )
    }

    #[test]
    fn without_a_key_the_small_model_answers_and_the_note_says_how_small_it_is() {
        let choice = with(None, &[], true);
        assert_eq!(
            (choice.default_model.as_str(), choice.small),
            (SMALL_MODEL, Small::Start)
        );
        assert!(choice.note.unwrap().contains("135 million"));
        assert_eq!(choice.models, [SMALL_MODEL, "scripted/*", "scripted:*"]);
    }

    #[test]
    fn where_it_is_not_installed_a_fixed_text_answers_and_the_note_names_the_command() {
        let choice = with(None, &[], false);
        assert_eq!(
            (choice.default_model.as_str(), choice.small),
            ("scripted/lorem", Small::No)
        );
        assert!(
            choice
                .note
                .unwrap()
                .contains("scripts/install-tools --model")
        );
    }

    #[test]
    fn what_is_not_installed_is_not_said_to_run() {
        let note = with(Some(SMALL_MODEL), &[], false).note.unwrap();
        assert!(note.contains("not installed"), "{note}");
    }

    #[test]
    fn a_key_brings_its_providers_models() {
        let choice = with(None, &["ANTHROPIC_API_KEY"], true);
        assert!(choice.default_model.starts_with("claude-"));
        assert_eq!((choice.small, choice.note), (Small::No, None));
        assert!(choice.models.iter().any(|model| model == "claude-*"));
        assert!(!choice.models.iter().any(|model| model == "gpt-*"));
    }

    #[test]
    fn a_base_url_allows_any_model() {
        for name in ["AIDEATOR_BASE_URL", "OPENAI_BASE_URL"] {
            let choice = with(Some("qwen"), &[name, "OPENAI_API_KEY"], true);
            assert_eq!(
                (
                    choice.default_model.as_str(),
                    choice.models.len(),
                    choice.small
                ),
                ("qwen", 0, Small::No)
            );
        }
    }

    #[test]
    fn a_given_model_is_the_default_and_may_be_asked_for() {
        let choice = with(Some("my-tune"), &["OPENAI_API_KEY"], true);
        assert_eq!(choice.default_model, "my-tune");
        assert!(choice.models.contains(&String::from("my-tune")));
        let scripted = with(Some("scripted/lorem?chunks=9"), &[], true);
        assert_eq!((scripted.small, scripted.models.len()), (Small::No, 2));
        let small = with(Some(SMALL_MODEL), &["OPENAI_API_KEY"], true);
        assert_eq!(small.small, Small::Start);
        assert!(small.models.iter().any(|model| model == "openai::*"));
        assert!(!small.models.iter().any(|model| model == "gpt-*"));
    }

    #[test]
    fn the_small_model_does_not_answer_under_the_name_of_another() {
        let choice = with(Some("gpt-5"), &[], true);
        assert_eq!(
            (choice.default_model.as_str(), choice.small, choice.note),
            ("gpt-5", Small::No, None)
        );
        assert_eq!(choice.models, ["gpt-5", "scripted/*", "scripted:*"]);
        assert_eq!(with(Some(SMALL_MODEL), &[], true).small, Small::Start);
    }

    #[test]
    fn every_default_is_one_of_its_providers_models() {
        for provider in &PROVIDERS {
            assert!(
                provider
                    .models
                    .iter()
                    .any(|pattern| fits(pattern, provider.default_model)),
                "{provider:?}"
            );
        }
    }
}
