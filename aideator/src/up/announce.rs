//! What `up` says once everything is ready.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::parts::Need;
use crate::view::{Paint, Tone};

/// One line for programs.
pub(super) fn line(need: &Need, http: SocketAddr, nats: bool) -> Value {
    json!({
        "http": format!("http://{}", http),
        "nats": need.nats_url,
        "nats_is_ours": nats,
        "data_dir": need.folder.path(),
        "model": need.choice.default_model,
        "pid": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// A few lines for people, the address last.
pub(super) fn block(need: &Need, http: SocketAddr, paint: Paint) -> String {
    let row = |name: &str, value: &str| {
        format!(
            "  {} {value}\n",
            paint.tone(Tone::Dim, &format!("{name:<6}"))
        )
    };
    let mut text = format!("{}\n", paint.tone(Tone::Bold, "AIdeator is ready"));
    text.push_str(&row("data", &need.folder.path().display().to_string()));
    text.push_str(&row("nats", &need.nats_url));
    let model = if need.choice.default_model.is_empty() {
        "none: name one with --model"
    } else {
        &need.choice.default_model
    };
    text.push_str(&row("model", model));
    if let Some(note) = &need.choice.note {
        text.push_str(&row("", &paint.tone(Tone::Warn, note)));
    }
    if need.allow_exec {
        text.push_str(&row(
            "",
            &paint.tone(
                Tone::Warn,
                "mode exec is allowed: runs may execute commands as you",
            ),
        ));
    }
    if need.edge.token.is_some() {
        text.push_str(&row(
            "",
            &format!("a browser comes in by http://{http}/?token=… (that of --token)"),
        ));
    }
    if need.edge.secret.is_some() {
        let words = "`aideator token new --name NAME --scope run` makes tokens";
        text.push_str(&row("", words));
    }
    text.push_str(&row("try", "aideator run -n 3 \"What is an idea?\""));
    text.push_str(&format!(
        "\n  {}\n",
        paint.tone(Tone::Bold, &format!("http://{http}"))
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::super::model::choose;
    use super::*;
    use crate::folder::Folder;

    #[test]
    fn with_a_token_it_says_how_a_browser_comes_in_and_keeps_the_secret() {
        let secret = "0123456789abcdef";
        let mut need = Need {
            folder: Folder::at(Some(std::path::Path::new("/data"))).unwrap(),
            nats_url: "nats://127.0.0.1:1".into(),
            http: None,
            edge: aideator_edge::Config::default(),
            choice: choose(Some("m"), |_| None, false),
            allow_exec: false,
            max_running: 1,
            declared: aideator_bus::Declared::default(),
            environment: Vec::new(),
        };
        let said = |need: &Need| block(need, ([127, 0, 0, 1], 7780).into(), Paint::NEVER);
        assert!(!said(&need).contains("token"));
        need.edge.token = Some(secret.parse().unwrap());
        let open = said(&need);
        assert!(open.contains("http://127.0.0.1:7780/?token=…"), "{open}");
        assert!(!open.contains(secret), "{open}");
    }
}
