//! From the start of `aideator up` to the line that says that everything is ready.

use crate::Options;
use crate::figures::{Samples, ms};
use crate::installation::Installation;
use crate::results::Row;

const TIMES: usize = 5;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Row> {
    let (mut fresh, mut again) = (Samples::default(), Samples::default());
    for _ in 0..TIMES {
        let installation = Installation::new(&options.aideator)?;
        for samples in [&mut fresh, &mut again] {
            let up = installation.up(&["--nats", "127.0.0.1:0"]).await?;
            samples.add(up.took);
            up.stop().await?;
        }
    }
    let figure = format!(
        "{} in a new folder, {} again (median of {TIMES})",
        ms(fresh.percentile(50.0)),
        ms(again.percentile(50.0)),
    );
    Ok(Row::new(
        "`aideator up` ready, without the model",
        figure,
        "< 3 s",
    ))
}
