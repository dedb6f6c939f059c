//! The edge's measurements, as Prometheus reads them.

use std::sync::OnceLock;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const LATENCY: &str = "aideator_edge_live_latency_seconds";
const BUCKETS: [f64; 11] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 15.0,
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

fn describe() {
    describe_gauge!("aideator_edge_viewers", "Open event streams");
    describe_gauge!("aideator_edge_hubs", "Runs that somebody watches here");
    describe_counter!("aideator_edge_frames_total", "Events encoded for viewers");
    describe_counter!(
        "aideator_edge_bytes_total",
        Unit::Bytes,
        "Bytes sent to viewers"
    );
    describe_counter!(
        "aideator_edge_catch_up_reads_total",
        "Pages read by Direct Get"
    );
    describe_counter!(
        "aideator_edge_holes_found_total",
        "Times a stored event had not been heard"
    );
    describe_counter!(
        "aideator_edge_holes_healed_total",
        "Of these, times it was read from the stream"
    );
    describe_counter!(
        "aideator_edge_gaps_total",
        "Times viewers were told that something is no longer kept"
    );
    describe_counter!(
        "aideator_edge_slow_viewers_total",
        "Times a viewer fell out of the window"
    );
    describe_counter!(
        "aideator_edge_slow_consumer_events_total",
        "Times NATS messages were dropped because they were not read fast enough"
    );
    describe_histogram!(
        LATENCY,
        Unit::Seconds,
        "From storage to the shared window, live events only"
    );
}
