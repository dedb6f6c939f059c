//! The edge's measurements, as Prometheus reads them.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const VIEWERS: &str = "aideator_edge_viewers";
const HUBS: &str = "aideator_edge_hubs";
const FRAMES: &str = "aideator_edge_frames_total";
const DELIVERIES: &str = "aideator_edge_deliveries_total";
const BYTES: &str = "aideator_edge_bytes_total";
const WAKEUPS: &str = "aideator_edge_wakeups_total";
const CATCH_UPS: &str = "aideator_edge_catch_ups_total";
const READS: &str = "aideator_edge_catch_up_reads_total";
const HOLES_FOUND: &str = "aideator_edge_holes_found_total";
const HOLES_HEALED: &str = "aideator_edge_holes_healed_total";
const GAPS: &str = "aideator_edge_gaps_total";
const SLOW: &str = "aideator_edge_slow_viewers_total";
const SLOW_CLOSED: &str = "aideator_edge_slow_viewers_closed_total";
const NATS_SLOW: &str = "aideator_edge_slow_consumer_events_total";
const REFUSED: &str = "aideator_edge_streams_refused_total";
const DELAYED: &str = "aideator_edge_streams_delayed_total";
const LATENCY: &str = "aideator_edge_live_latency_seconds";
const BUCKETS: [f64; 13] = [
    0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.04, 0.06, 0.1, 0.25, 0.5, 2.0, 15.0,
];

/// The process's recorder, installed once; `None` if the process has another one.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new();
    let matcher = Matcher::Full(LATENCY.to_owned());
    let recorder = builder
        .set_buckets_for_metric(matcher, &BUCKETS)
        .ok()?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    describe();
    Some(handle)
}

/// The measurements of one edge, looked up once: a viewer's write costs additions, no search by name.
pub(crate) struct Meters {
    pub(crate) viewers: Gauge,
    pub(crate) hubs: Gauge,
    pub(crate) frames: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) bytes: Counter,
    pub(crate) wakeups: Counter,
    /// By where the viewer's past was found.
    pub(crate) from_window: Counter,
    pub(crate) from_stream: Counter,
    pub(crate) from_archive: Counter,
    pub(crate) reads: Counter,
    pub(crate) holes_found: Counter,
    pub(crate) holes_healed: Counter,
    pub(crate) gaps: Counter,
    pub(crate) slow: Counter,
    pub(crate) slow_closed: Counter,
    pub(crate) nats_slow: Counter,
    pub(crate) refused: Counter,
    pub(crate) delayed: Counter,
    latency: Histogram,
}

impl Meters {
    /// The measurements, where the recorder of this process keeps them.
    pub(crate) fn new() -> Self {
        Self {
            viewers: gauge!(VIEWERS),
            hubs: gauge!(HUBS),
            frames: counter!(FRAMES),
            deliveries: counter!(DELIVERIES),
            bytes: counter!(BYTES),
            wakeups: counter!(WAKEUPS),
            from_window: counter!(CATCH_UPS, "source" => "window"),
            from_stream: counter!(CATCH_UPS, "source" => "stream"),
            from_archive: counter!(CATCH_UPS, "source" => "archive"),
            reads: counter!(READS),
            holes_found: counter!(HOLES_FOUND),
            holes_healed: counter!(HOLES_HEALED),
            gaps: counter!(GAPS),
            slow: counter!(SLOW),
            slow_closed: counter!(SLOW_CLOSED),
            nats_slow: counter!(NATS_SLOW),
            refused: counter!(REFUSED),
            delayed: counter!(DELAYED),
            latency: histogram!(LATENCY),
        }
    }

    /// A viewer has what was stored at `stored`, in milliseconds since the Unix epoch.
    pub(crate) fn arrived(&self, stored: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs_f64();
        self.latency.record((now - stored as f64 / 1000.0).max(0.0));
    }
}

fn describe() {
    describe_gauge!(VIEWERS, "Open event streams");
    describe_gauge!(HUBS, "Runs that somebody watches here");
    describe_counter!(FRAMES, "Events encoded, each once for all viewers");
    describe_counter!(DELIVERIES, "Shared events sent to viewers");
    describe_counter!(BYTES, Unit::Bytes, "Bytes sent to viewers");
    describe_counter!(
        WAKEUPS,
        "Viewers there was something to wake for, joined or not: what frames are joined by"
    );
    describe_counter!(
        CATCH_UPS,
        "Times a viewer found its place: among the shared events (window), or by reading alone, from where it begins (stream, archive)"
    );
    describe_counter!(READS, "Pages read by Direct Get");
    describe_counter!(HOLES_FOUND, "Times a stored event had not been heard");
    describe_counter!(HOLES_HEALED, "Of these, times it was read from the stream");
    describe_counter!(
        GAPS,
        "Times viewers were told that something is no longer kept"
    );
    describe_counter!(SLOW, "Times a viewer fell out of the window");
    describe_counter!(SLOW_CLOSED, "Viewers closed because they can't keep up");
    describe_counter!(
        NATS_SLOW,
        "Times NATS messages were dropped because they were not read fast enough"
    );
    describe_counter!(REFUSED, "Streams asked to come back because too many came");
    describe_counter!(DELAYED, "Streams that waited for their turn to begin");
    describe_histogram!(
        LATENCY,
        Unit::Seconds,
        "From storage to a viewer's socket, live events only, the first of each write"
    );
}
