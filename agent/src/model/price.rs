//! What tokens cost: a small table of list prices, dated, in US dollars per million tokens.
//!
//! Compiled 2026-11 from the providers' price lists (developers.openai.com/api/docs/pricing,
//! platform.claude.com/docs/en/about-claude/pricing) and published copies of them; standard tier,
//! short context. A model that is not here has no cost: a wrong figure is worse than none.

use super::Tokens;

struct Price {
    /// The model's name, or its beginning followed by `-` (a dated snapshot).
    model: &'static str,
    input: f64,
    cached: f64,
    output: f64,
}

const fn price(model: &'static str, input: f64, cached: f64, output: f64) -> Price {
    Price {
        model,
        input,
        cached,
        output,
    }
}

const PRICES: &[Price] = &[
    price("gpt-5.5", 5.0, 0.5, 30.0),
    price("gpt-5.4", 2.5, 0.25, 15.0),
    price("gpt-5.4-mini", 0.75, 0.075, 4.5),
    price("gpt-5.4-nano", 0.2, 0.02, 1.25),
    price("gpt-5", 1.25, 0.125, 10.0),
    price("gpt-5-mini", 0.25, 0.025, 2.0),
    price("gpt-5-nano", 0.05, 0.005, 0.4),
    price("gpt-4.1", 2.0, 0.5, 8.0),
    price("gpt-4.1-mini", 0.4, 0.1, 1.6),
    price("gpt-4.1-nano", 0.1, 0.025, 0.4),
    price("gpt-4o", 2.5, 1.25, 10.0),
    price("gpt-4o-mini", 0.15, 0.075, 0.6),
    price("claude-opus-5-5", 4.0, 0.2, 20.0),
    price("claude-opus-5", 5.0, 0.5, 25.0),
    price("claude-opus-4-5", 5.0, 0.5, 25.0),
    price("claude-sonnet-5-5", 2.0, 0.1, 10.0),
    price("claude-sonnet-5", 2.0, 0.2, 10.0),
    price("claude-sonnet-4-5", 3.0, 0.3, 15.0),
    price("claude-haiku-4-5", 1.0, 0.1, 5.0),
];

/// What these tokens of this model cost in US dollars, if it is in the table.
pub(crate) fn cost(model: &str, tokens: &Tokens) -> Option<f64> {
    let name = model.rsplit_once("::").map_or(model, |(_, name)| name);
    let price = PRICES
        .iter()
        .filter(|price| names(name, price.model))
        .max_by_key(|price| price.model.len())?;
    let cached = tokens.cached.unwrap_or(0).min(tokens.input);
    let millions = |count: u64, each: f64| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts are far below 2^52"
        )]
        let count = count as f64;
        count * each / 1_000_000.0
    };
    Some(
        millions(tokens.input - cached, price.input)
            + millions(cached, price.cached)
            + millions(tokens.output, price.output),
    )
}

/// Whether `name` is `model` or a dated snapshot of it (`…-2026-01-31`, `…-20260131`), not a sibling
/// such as `…-mini`.
fn names(name: &str, model: &str) -> bool {
    name.strip_prefix(model).is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|date| {
                date.len() >= 8
                    && date
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || byte == b'-')
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_input_is_cheaper_and_counted_once() {
        let tokens = Tokens {
            input: 1_000_000,
            cached: Some(400_000),
            output: 500_000,
            reasoning: None,
        };
        let cost = cost("gpt-4o-mini", &tokens).unwrap();
        assert!((cost - (0.6 * 0.15 + 0.4 * 0.075 + 0.5 * 0.60)).abs() < 1e-9);
    }

    #[test]
    fn a_snapshot_costs_what_its_model_costs_and_a_sibling_does_not() {
        let tokens = Tokens {
            input: 1_000,
            output: 1_000,
            ..Tokens::default()
        };
        assert_eq!(
            cost("openai::gpt-4o-2024-08-06", &tokens),
            cost("gpt-4o", &tokens)
        );
        assert_ne!(cost("gpt-4o-mini", &tokens), cost("gpt-4o", &tokens));
        assert_eq!(cost("gpt-4o-realtime", &tokens), None);
    }

    #[test]
    fn an_unknown_model_has_no_cost() {
        assert_eq!(cost("SmolLM2-135M-Instruct", &Tokens::default()), None);
        assert_eq!(cost("scripted/lorem", &Tokens::default()), None);
    }
}
