//! Two policies with the same rules on the measured tool and unlike many others: `rules FEW.yaml MANY.yaml`.

use crate::timing::{Piece, time, to_json};
use crate::{Figures, subject};
use counterseal::condition::Facts;
use std::hint::black_box;
use std::time::Instant;

pub(crate) fn run(arguments: &[String]) -> Figures {
    let [few, many] = arguments else {
        return Err("`rules` takes two policies: the one with few rules, the one with many".into());
    };
    let (few, many) = (std::fs::read_to_string(few)?, std::fs::read_to_string(many)?);
    let before = Instant::now();
    let layers = subject::layers(&many)?;
    let loaded = before.elapsed();
    let (few, many) = (subject::plan(&few)?, layers.plan(&subject::tool())?);
    if few.rule_count() != many.rule_count() {
        return Err("the two policies have unlike numbers of rules on the tool".into());
    }
    let call = subject::arguments()?;
    let figures = time(vec![
        Piece::new("few", || few.decide(&Facts::of_call(black_box(&call)), None).verdict),
        Piece::new("many", || many.decide(&Facts::of_call(black_box(&call)), None).verdict),
        // what a tool that is guarded or checked by name for the first time pays
        Piece::new("preparing the tool under many", || layers.plan(&subject::tool()).is_ok()),
    ]);
    let ratio = match figures.as_slice() {
        [few, many, ..] => many.median / few.median,
        _ => f64::NAN,
    };
    Ok(serde_json::json!({
        "ratio": ratio, "load_ms": loaded.as_secs_f64() * 1e3, "pieces": to_json(&figures),
    }))
}
