//! Signed tokens, from `aideator token new` to the server that refuses what was revoked.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::fs;
use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;
use support::stage::Stage;
use support::{aideator, within};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// `aideator token` with these arguments.
fn token(arguments: &[&str]) -> Output {
    let mut command = aideator();
    command.env("AIDEATOR_SECRET", SECRET);
    command.arg("token").args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_new_token_is_all_that_is_printed_and_can_be_shown() {
    let new = token(&[
        "new",
        "--name",
        "ci",
        "--scope",
        "read,run",
        "--expires",
        "12h",
    ]);
    assert_eq!(code(&new), 0, "{}", said(&new));
    let made = text(&new);
    assert_eq!(made.lines().count(), 1);
    let made = made.trim();

    let show = token(&["show", made, "--json"]);
    let claims: Value = serde_json::from_str(&text(&show)).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["scope"]),
        (&"ci".into(), &"read run".into())
    );
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 12 * 60 * 60);
    assert!(
        said(&new).contains(claims["jti"].as_str().unwrap()),
        "{}",
        said(&new)
    );

    // The same by standard input, for people; a token is no argument that everybody can see.
    let mut command = aideator();
    command
        .args(["token", "show", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{made}\n").as_bytes())
        .unwrap();
    let shown = text(&child.wait_with_output().unwrap());
    for words in ["name     ci\n", "scope    read run\n", "(in 11 hours)"] {
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn nonsense_is_refused_with_words() {
    let named = ["new", "--name", "ci"];
    for (arguments, words) in [
        (&["--scope", "write"][..], "there is no scope \"write\""),
        (&["--scope", ""], "a token needs a scope"),
        (&["--expires", "30"], "90m, 12h, 30d"),
        (&["--expires", "2000d"], "366d at most"),
        (&["--expires", "0h"], "no time"),
        (&["--secret-file", "/nowhere/at/all"], "/nowhere/at/all"),
    ] {
        let refused = token(&[&named, arguments].concat());
        assert_ne!(code(&refused), 0, "{arguments:?}");
        assert_eq!(text(&refused), "", "{arguments:?}");
        assert!(said(&refused).contains(words), "{}", said(&refused));
    }
    assert!(said(&token(&["new", "--name", ""])).contains("1 to 128 bytes"));
    assert!(said(&token(&["new"])).contains("--name"));
    assert!(said(&token(&["show", "a.b"])).contains("three parts"));
    assert!(said(&token(&["revoke", "a b"])).contains("token's id"));

    let secret = |value: Option<&str>| {
        let mut command = aideator();
        command.args(["token", "new", "--name", "ci"]);
        if let Some(value) = value {
            command.env("AIDEATOR_SECRET", value);
        }
        command.output().unwrap()
    };
    let short = secret(Some("short"));
    assert_eq!(code(&short), 2);
    assert!(
        said(&short).contains("32 bytes or more"),
        "{}",
        said(&short)
    );
    assert!(said(&secret(None)).contains("--secret-file"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_the_secret_lets_tokens_in_until_they_are_revoked() {
    let stage = Stage::whole(&["--secret", SECRET]).await;
    let server = format!("http://{}", stage.http());
    // The secret of a file ends with a line break.
    let file = stage.folder().join("secret");
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    let new = |scope: &str| {
        let mut command = aideator();
        command.args([
            "token",
            "new",
            "--name",
            scope,
            "--scope",
            scope,
            "--secret-file",
        ]);
        let new = command.arg(&file).output().unwrap();
        assert_eq!(code(&new), 0, "{}", said(&new));
        text(&new).trim().to_owned()
    };
    let with = |token: &str, arguments: &[&str]| {
        let mut command = aideator();
        command
            .env("AIDEATOR_TOKEN", token)
            .args(["--server", &server]);
        command.args(arguments).output().unwrap()
    };
    let (read, run, admin) = (new("read"), new("run"), new("admin"));
    let ask = [
        "run",
        "hi",
        "--id",
        "r",
        "-m",
        "scripted/lorem?chunks=5&rate=0",
    ];

    let nobody = with("", &["ls"]);
    assert_eq!(code(&nobody), 2);
    assert!(
        said(&nobody).contains("a token is needed"),
        "{}",
        said(&nobody)
    );
    let reader = with(&read, &ask);
    assert_eq!(code(&reader), 2);
    assert!(said(&reader).contains("scope `run`"), "{}", said(&reader));
    assert_eq!(code(&with(&run, &ask)), 0);
    assert_eq!(code(&with(&read, &["show", "r"])), 0);

    let may_not = with(&run, &["token", "revoke", &run]);
    assert_eq!(code(&may_not), 2);
    assert!(
        said(&may_not).contains("scope `admin`"),
        "{}",
        said(&may_not)
    );
    assert_eq!(code(&with(&admin, &["token", "revoke", &run])), 0);
    let claims = text(&token(&["show", &read, "--json"]));
    let claims: Value = serde_json::from_str(&claims).unwrap();
    let id = claims["jti"].as_str().unwrap();
    assert_eq!(code(&with(&admin, &["token", "revoke", id])), 0);
    for token in [&run, &read] {
        let refused = within("the token is refused", || {
            let listed = with(token, &["ls"]);
            (code(&listed) == 2).then_some(listed)
        });
        assert!(said(&refused).contains("was revoked"), "{}", said(&refused));
    }
    assert_eq!(code(&with(&admin, &["ls"])), 0);
}
