//! `aideator run`: start a run and watch it.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use aideator_contract::request::{RunRequest, VariationRequest, Variations};
use aideator_contract::{Mode, RunId, limits};

use super::following::{Manner, show};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{news, put};
use crate::server::Server;

/// Start a run and watch it. The exit code tells the outcome: 0 all variations succeeded, 1 some did not,
/// 2 refused, 3 no server, 130 interrupted (the run goes on).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to ask; `-` or nothing: read it from standard input. In mode exec: the shell command
    pub(crate) prompt: Option<String>,
    /// How many variations, 1–5 [default: one for each model, else 1]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) variations: Option<u8>,
    /// Models, separated by commas; with more variations than models they are taken in turn
    #[arg(short, long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) model: Vec<String>,
    /// The repository: an https address, or a path on this machine
    #[arg(long, value_name = "URL|PATH")]
    pub(crate) repo: Option<String>,
    /// A branch, tag or commit of it
    #[arg(long = "ref", value_name = "REF", requires = "repo")]
    pub(crate) reference: Option<String>,
    /// `exec` runs the prompt as a shell command; needs `aideator up --allow-exec`
    #[arg(long, value_enum, default_value = "analyze")]
    pub(crate) mode: ModeName,
    /// Sampling temperature, 0–2
    #[arg(long, value_name = "T")]
    pub(crate) temperature: Option<f64>,
    /// Added to the system prompt
    #[arg(long, value_name = "TEXT")]
    pub(crate) instructions: Option<String>,
    /// How long a variation may take, e.g. 90s, 5m, 2h
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) deadline: Option<u64>,
    /// The run's name; the same name with the same request is the same run
    #[arg(long, value_name = "RUN")]
    pub(crate) id: Option<RunId>,
    /// Print the stored events, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the run's name and don't wait
    #[arg(short, long)]
    pub(crate) detach: bool,
}

/// Modes, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ModeName {
    /// Answer about the repository
    Analyze,
    /// Run a command and stream what it prints
    Exec,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    let client = server.client()?;
    let prompt = prompt(args.prompt.as_deref())?;
    let repo = args.repo.as_deref().map(repository).transpose()?;
    let request = request(&args, prompt, repo);
    let created = client.create(&request).await?;
    if args.detach {
        let line = match args.json {
            true => serde_json::json!({ "run_id": created.run_id, "url": created.url }).to_string(),
            false => created.run_id.to_string(),
        };
        put(&format!("{line}\n"))?;
        return Ok(Exit::Success);
    }
    let manner = Manner::of(args.json);
    if manner != Manner::Json {
        let page = created.url.unwrap_or_default();
        news(&format!(
            "run {} · {}{page}",
            created.run_id,
            client.server()
        ));
    }
    let exit = show(&mut client.follow(&created.run_id, None), manner).await?;
    if exit == Exit::Interrupted {
        news(&format!(
            "{0} goes on; watch it with: aideator watch {0}; stop it with: aideator cancel {0}",
            created.run_id
        ));
    }
    Ok(exit)
}

/// The prompt, byte for byte.
fn prompt(typed: Option<&str>) -> Result<String, Error> {
    match typed {
        Some(prompt) if prompt != "-" => return Ok(prompt.to_owned()),
        None if std::io::stdin().is_terminal() => {
            return Err(Error::Usage(
                "what is to be asked? e.g.: aideator run \"What does this project do?\"".into(),
            ));
        }
        _ => {}
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(limits::REQUEST_BYTES).unwrap_or(u64::MAX);
    std::io::stdin()
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::Terminal("read the prompt", error))?;
    String::from_utf8(bytes).map_err(|_| Error::Usage("the prompt is not UTF-8 text".into()))
}

/// An address as it is; a path made absolute, because the server is elsewhere.
fn repository(typed: &str) -> Result<String, Error> {
    let is_address = typed.contains("://") || (typed.contains('@') && !Path::new(typed).exists());
    if is_address {
        return Ok(typed.to_owned());
    }
    let path = std::fs::canonicalize(typed).map_err(|error| {
        Error::Usage(format!(
            "there is no repository at {typed}: {error} (an address begins with https://)"
        ))
    })?;
    path.into_os_string()
        .into_string()
        .map_err(|_| Error::Usage(format!("the path {typed} is not UTF-8 text")))
}

fn request(args: &Args, prompt: String, repo: Option<String>) -> RunRequest {
    let models: Vec<&String> = args
        .model
        .iter()
        .filter(|model| !model.trim().is_empty())
        .collect();
    let count = args.variations.map_or(models.len().max(1), usize::from);
    let (model, variations) = match models.as_slice() {
        [] => (None, Variations::Count(count as u64)),
        [one] => (Some((*one).clone()), Variations::Count(count as u64)),
        several => {
            let turns = several.iter().cycle().take(count);
            let of = |model: &&String| VariationRequest {
                model: Some((*model).clone()),
                ..VariationRequest::default()
            };
            (None, Variations::List(turns.map(of).collect()))
        }
    };
    RunRequest {
        run_id: args.id.as_ref().map(ToString::to_string),
        prompt,
        repo,
        reference: args.reference.clone(),
        mode: match args.mode {
            ModeName::Analyze => None,
            ModeName::Exec => Some(Mode::Exec),
        },
        model,
        temperature: args.temperature,
        instructions: args.instructions.clone(),
        variations: (count != 1 || matches!(variations, Variations::List(_))).then_some(variations),
        deadline_s: args.deadline,
        requester: None,
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err(String::from("a time is e.g. 90s, 5m or 2h")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(factor))
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| String::from("a time is e.g. 90s, 5m or 2h"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    fn asked(words: &[&str]) -> serde_json::Value {
        let args = Typed::parse_from(["run"].iter().chain(words)).args;
        serde_json::to_value(request(&args, "p".into(), None)).unwrap()
    }

    #[test]
    fn a_prompt_alone_asks_for_nothing_else() {
        assert_eq!(asked(&["p"]), serde_json::json!({"prompt":"p"}));
    }

    #[test]
    fn models_are_taken_in_turn() {
        let models = |words: &[&str]| {
            asked(words)["variations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v["model"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            models(&["p", "-n", "5", "-m", "a,b"]),
            ["a", "b", "a", "b", "a"]
        );
        assert_eq!(models(&["p", "-m", "a,b"]), ["a", "b"]);
        assert_eq!(
            asked(&["p", "-n", "3", "-m", "a"]),
            serde_json::json!({"prompt":"p","model":"a","variations":3})
        );
    }

    #[test]
    fn times_have_units() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("2h"), Ok(7200));
        for bad in ["", "0", "m", "1d", "-1s"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_is_made_absolute_and_an_address_is_not_touched() {
        let temp = tempfile::tempdir().unwrap();
        let path = repository(temp.path().to_str().unwrap()).unwrap();
        assert!(Path::new(&path).is_absolute());
        assert_eq!(
            repository("https://a.example/r").unwrap(),
            "https://a.example/r"
        );
        assert_eq!(repository("git@a.example:r").unwrap(), "git@a.example:r");
        assert!(repository("./no-such-folder-here").is_err());
    }
}
