use std::future::pending;

use aideator_agent::model::scripted_text;
use aideator_contract::report::{Outcome, Report};
use aideator_contract::{AttemptSpec, Event, UsageSource};

use crate::world::{World, code, exec, names, repository, spec, text};

const LOREM: &str = "scripted/lorem?chunks=200&rate=0&seed=5&reasoning=3";

#[tokio::test]
async fn a_scripted_variation_is_stored_exactly_as_it_was_said() {
    let world = World::begin().await;
    let name = world.open(spec("r.0.1", LOREM)).await;
    world.run(&name, pending()).await.unwrap();
    let out = world.out(&name).await;
    assert_eq!(text(&out), scripted_text(LOREM).await.unwrap());
    assert_eq!(
        names(&out),
        [
            "start",
            "start-step",
            "reasoning-start",
            "reasoning-delta",
            "reasoning-end",
            "text-start",
            "text-delta",
            "text-end",
            "data-usage",
            "finish"
        ]
    );
    let reports = world.reports(&name).await;
    assert!(
        matches!(
            reports[..],
            [Report::Ready, Report::FirstToken { .. }, Report::Done(_)]
        ),
        "{reports:?}"
    );
    let done = world.done(&name).await;
    assert_eq!(done.outcome, Outcome::Succeeded);
    assert_eq!(done.usage.unwrap().source, UsageSource::Reported);
}

#[tokio::test]
async fn an_analysis_of_a_repository_clones_it_first() {
    let world = World::begin().await;
    let (_folder, source) = repository(&[("README.md", "# Teapot\n")]);
    let name = world
        .open(AttemptSpec {
            source: Some(source),
            ..spec("r.0.1", LOREM)
        })
        .await;
    world.run(&name, pending()).await.unwrap();
    let reports = world.reports(&name).await;
    assert!(
        matches!(
            reports[..],
            [
                Report::Ready,
                Report::Cloned { .. },
                Report::FirstToken { .. },
                Report::Done(_)
            ]
        ),
        "{reports:?}"
    );
    // The prompt alone is a few tokens: the digest was given to the model.
    assert!(world.done(&name).await.usage.unwrap().input_tokens > 80);
}

#[tokio::test]
async fn a_command_runs_in_the_repository_and_its_exit_code_is_told() {
    let world = World::begin().await;
    let (_folder, source) = repository(&[("tea.txt", "green\n")]);
    let command = "cat tea.txt; echo oops >&2; exit 3";
    let name = world
        .open(AttemptSpec {
            source: Some(source),
            ..exec("r.0.1", command)
        })
        .await;
    world.run(&name, pending()).await.unwrap();
    let out = world.out(&name).await;
    assert_eq!(text(&out), "green\noops\n");
    assert_eq!(
        out.last(),
        Some(&Event::Finish {
            finish_reason: "exit-3".into()
        })
    );
    let done = world.done(&name).await;
    assert_eq!(code(&done), "command-failed");
    assert_eq!(done.usage, None);
}

#[tokio::test]
async fn beyond_the_output_limit_a_command_goes_on_unheard() {
    let world = World::begin().await;
    let spec = AttemptSpec {
        output_bytes: 10_000,
        ..exec("r.0.1", "yes | head -c 100000; exit 4")
    };
    let name = world.open(spec).await;
    world.run(&name, pending()).await.unwrap();
    let out = world.out(&name).await;
    assert!(text(&out).len() <= 10_000);
    assert!(names(&out).contains(&"log".to_owned()));
    assert_eq!(code(&world.done(&name).await), "command-failed");
}

#[tokio::test]
async fn the_models_key_is_neither_seen_by_commands_nor_published() {
    let world = World::begin().await;
    let name = world.open(exec("r.0.1", "env; echo sk-not-for-you")).await;
    world
        .run_with(&name, &[("OPENAI_API_KEY", "sk-not-for-you")], pending())
        .await
        .unwrap();
    let said = text(&world.out(&name).await);
    assert!(!said.contains("OPENAI"), "{said}");
    assert!(said.ends_with("[redacted]\n"), "{said}");
}

#[tokio::test]
async fn what_can_t_be_done_is_told_in_the_last_word() {
    let world = World::begin().await;
    let name = world.open(spec("nokey.0.1", "gpt-4o")).await;
    world.run(&name, pending()).await.unwrap();
    let out = world.out(&name).await;
    assert!(
        matches!(out.last(), Some(Event::Error { code, .. }) if code == "no-model-key"),
        "{out:?}"
    );
    assert_eq!(code(&world.done(&name).await), "no-model-key");

    let (folder, source) = repository(&[("a", "a")]);
    drop(folder);
    let name = world
        .open(AttemptSpec {
            source: Some(source),
            ..spec("gone.0.1", LOREM)
        })
        .await;
    world.run(&name, pending()).await.unwrap();
    assert_eq!(code(&world.done(&name).await), "repository-not-found");
}
