//! What an OpenTelemetry collector gets, read by OpenTelemetry's own types.

use crate::sender::Sender;
use drydock_tests::rig::{Backups, Intake};
use opentelemetry_proto::tonic::{
    common::v1::any_value,
    logs::v1::LogsData,
    metrics::v1::{AggregationTemporality, MetricsData, metric::Data},
    trace::v1::TracesData,
};
use serde_json::json;

#[test]
fn a_backup_arrives_as_log_records_metrics_and_spans() {
    let backups = Backups::new();
    let collector = Intake::open();
    backups.set("observability.otlp.endpoint", collector.url());
    backups.ok(["shipping", "now"]);
    backups.ok(["backup", "now"]);

    backups.ok(["shipping", "now"]);

    assert!(collector.received().iter().all(|one| one.key.is_none() && one.encoding == "gzip"));
    let logs: LogsData = serde_json::from_value(collector.taken("/v1/logs").remove(0)).unwrap();
    let records: Vec<_> = logs.resource_logs[0].scope_logs[0].log_records.clone();
    let taken = records.iter().find(|record| record.event_name == "backup.taken").unwrap();
    assert_eq!((taken.severity_text.as_str(), taken.severity_number), ("INFO", 9));
    assert_eq!((taken.trace_id.len(), taken.span_id.len()), (16, 8));
    let attribute =
        |name: &str| taken.attributes.iter().find(|one| one.key == name).and_then(|one| one.value.clone());
    assert!(attribute("log.record.uid").is_some());
    assert!(
        matches!(attribute("drydock.new").unwrap().value, Some(any_value::Value::IntValue(new)) if new > 0)
    );

    let metrics: MetricsData = serde_json::from_value(collector.taken("/v1/metrics").remove(0)).unwrap();
    let metrics = &metrics.resource_metrics[0].scope_metrics[0].metrics;
    let data = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().data.clone().unwrap();
    let Data::Sum(added) = data("drydock.backup.added") else { panic!("{metrics:?}") };
    assert!(added.is_monotonic && added.aggregation_temporality() == AggregationTemporality::Delta);
    let Data::Histogram(took) = data("drydock.backup.duration") else { panic!("{metrics:?}") };
    let point = &took.data_points[0];
    assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.exemplars.len() as u64, point.count);
    assert!(point.start_time_unix_nano < point.time_unix_nano);

    let traces: TracesData = serde_json::from_value(collector.taken("/v1/traces").remove(0)).unwrap();
    let spans: Vec<_> = traces.resource_spans.iter().flat_map(|one| &one.scope_spans[0].spans).collect();
    let backup = spans.iter().find(|span| span.name == "backup").unwrap();
    assert_eq!(backup.trace_id, taken.trace_id);
    assert!(backup.end_time_unix_nano > backup.start_time_unix_nano);
}

#[test]
fn datadog_and_a_collector_get_all_of_it_each_at_its_own_pace() {
    let sender = Sender::new();
    let collector = Intake::open();
    sender.set("observability.otlp.endpoint", &collector.url());
    sender.now().ok();
    sender.events(5);
    sender.intake.always(drydock_tests::rig::Manner::Say(500));
    sender.now().exits(1);
    assert_eq!(sender.stream("otlp.events")["sent"], json!(5));
    assert_eq!(sender.stream("datadog.events")["sent"], json!(0));
    sender.intake.always(drydock_tests::rig::Manner::Take);
    sender.now().ok();
    assert_eq!(sender.arrived(), (1..=5).collect::<Vec<_>>());
}
