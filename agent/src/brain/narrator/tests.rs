use aideator_contract::event::Whole;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::super::hex;
use super::*;

fn narrator() -> Narrator {
    Narrator::new(Secrets::new(["sk-very-secret".to_owned()]), 1 << 20)
}

fn text(text: &str) -> ModelEvent {
    ModelEvent::TextDelta(text.into())
}

fn names(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            serde_json::to_value(event).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn told(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::TextDelta { delta, .. } => Some(delta.as_str()),
            _ => None,
        })
        .collect()
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

#[test]
fn reasoning_and_text_become_parts_with_their_whole_at_the_end() {
    let mut narrator = narrator();
    let mut events = narrator.model(text("<think>hm</think>yes"));
    events.extend(narrator.model(text("!")));
    events.extend(narrator.finish());
    assert_eq!(
        names(&events),
        [
            "reasoning-start",
            "reasoning-delta",
            "reasoning-end",
            "text-start",
            "text-delta",
            "text-delta",
            "text-end"
        ]
    );
    assert_eq!(
        events[2],
        Event::ReasoningEnd {
            id: "r1".into(),
            whole: Whole::Text { text: "hm".into() }
        }
    );
    assert_eq!(
        events[6],
        Event::TextEnd {
            id: "t2".into(),
            whole: Whole::Text {
                text: "yes!".into()
            }
        }
    );
}

#[test]
fn secrets_across_chunks_are_not_told() {
    let mut narrator = narrator();
    let mut events = narrator.model(text("key sk-very-"));
    events.extend(narrator.model(text("secret.")));
    events.extend(narrator.finish());
    assert_eq!(told(&events), "key [redacted].");
}

#[test]
fn text_held_back_for_redaction_is_told_before_what_follows_it() {
    let mut narrator = narrator();
    let mut events = narrator.model(text("sk-"));
    events.extend(narrator.model(ModelEvent::ReasoningDelta("hm".into())));
    events.extend(narrator.model(text("b")));
    events.extend(narrator.finish());
    assert_eq!(told(&events), "sk-b");
    assert_eq!(
        names(&events),
        [
            "text-start",
            "text-delta",
            "text-end",
            "reasoning-start",
            "reasoning-delta",
            "reasoning-end",
            "text-start",
            "text-delta",
            "text-end"
        ]
    );
}

#[test]
fn a_reset_voids_the_part_and_the_next_one_has_another_name() {
    let mut narrator = narrator();
    let mut events = narrator.model(text("wrong"));
    events.extend(narrator.model(ModelEvent::Reset("rate limit".into())));
    events.extend(narrator.model(text("right")));
    events.extend(narrator.finish());
    assert_eq!(
        names(&events),
        [
            "text-start",
            "text-delta",
            "reset-step",
            "text-start",
            "text-delta",
            "text-end"
        ]
    );
    assert_eq!(
        events[5],
        Event::TextEnd {
            id: "t2".into(),
            whole: Whole::Text {
                text: "right".into()
            }
        }
    );
}

#[test]
fn beyond_the_limit_nothing_is_told_but_that() {
    let mut narrator = Narrator::new(Secrets::default(), 20);
    let mut events = narrator.model(text("0123456789"));
    events.extend(narrator.model(text("0123456789")));
    events.extend(narrator.model(text("more")));
    events.extend(narrator.finish());
    assert!(narrator.truncated());
    assert_eq!(
        names(&events),
        ["text-start", "text-delta", "text-end", "log"]
    );
}

#[test]
fn a_long_part_ends_with_its_length_and_digest() {
    let mut narrator = Narrator::new(Secrets::default(), 1 << 30);
    let long = "é".repeat(200_000);
    let mut events = narrator.output(&long);
    events.extend(narrator.finish());
    assert_eq!(told(&events), long);
    let end = Whole::Proof {
        length: 400_000,
        sha256: sha256(&long),
    };
    assert_eq!(
        events.last(),
        Some(&Event::TextEnd {
            id: "t1".into(),
            whole: end
        })
    );
}

#[test]
fn a_part_that_is_long_only_when_escaped_does_not_make_a_huge_event() {
    let mut narrator = Narrator::new(Secrets::default(), 1 << 30);
    let mut events = narrator.output(&"\u{1}".repeat(100_000));
    events.extend(narrator.finish());
    for event in events {
        assert!(serde_json::to_vec(&event).unwrap().len() <= EVENT_BYTES);
    }
}

#[test]
fn a_tool_call_is_told_and_answered_with_an_error() {
    let mut narrator = narrator();
    let call = ModelEvent::ToolCall {
        id: "c".into(),
        name: "shell".into(),
        input: "{\"command\":\"ls\"}".into(),
    };
    assert_eq!(
        names(&narrator.model(call)),
        [
            "tool-input-start",
            "tool-input-available",
            "tool-output-error"
        ]
    );
}

proptest! {
    #[test]
    fn what_is_told_is_what_was_said(
        chunks in prop::collection::vec(("[a-zé\\n\"]{0,9}", any::<bool>()), 0..20),
    ) {
        let mut narrator = narrator();
        let mut events = Vec::new();
        let mut said = String::new();
        for (chunk, is_text) in &chunks {
            if *is_text {
                said.push_str(chunk);
                events.extend(narrator.model(text(chunk)));
            } else {
                events.extend(narrator.model(ModelEvent::ReasoningDelta(chunk.clone())));
            }
        }
        events.extend(narrator.finish());
        prop_assert_eq!(told(&events), said.clone());
        let wholes: String = events.iter().filter_map(|event| match event {
            Event::TextEnd { whole: Whole::Text { text }, .. } => Some(text.as_str()),
            _ => None,
        }).collect();
        prop_assert_eq!(wholes, said);
    }

    #[test]
    fn escaping_is_counted_as_it_is_written(text in any::<String>()) {
        prop_assert_eq!(escaped_bytes(&text), serde_json::to_string(&text).unwrap().len());
    }
}
