//! What a running session takes of the computer: processor time and memory.

use super::{SessionId, Sessions};
use crate::observability::{Metric, MetricName, record_metric};
use bollard::{models::ContainerStatsResponse, query_parameters::StatsOptionsBuilder};
use futures_util::StreamExt;
use std::time::{Duration, Instant};

/// Between two measurements: a session of a day leaves some hundred lines.
const APART: Duration = Duration::from_secs(300);

/// What was measured of a session so far.
#[derive(Debug, Default)]
pub(super) struct Measured {
    last: Option<Instant>,
    /// Processor seconds, as the engine counts them from the container's start.
    processor: f64,
}

impl Sessions {
    /// Measures a running session, when it is time. An engine that does not tell is passed over.
    pub(super) async fn measure(&self, id: &SessionId, measured: &mut Measured) {
        if measured.last.is_some_and(|last| last.elapsed() < APART) {
            return;
        }
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let container = id.container();
        let mut answers = Box::pin(self.engine.api().stats(&container, Some(options)));
        match answers.next().await {
            Some(Ok(stats)) => measured.tell(id, &stats),
            Some(Err(cause)) => {
                tracing::debug!(session = %id, %cause, "the engine does not tell what it takes");
            }
            None => {}
        }
    }
}

impl Measured {
    #[allow(clippy::cast_precision_loss)] // bytes and nanoseconds for a person's eyes
    fn tell(&mut self, id: &SessionId, stats: &ContainerStatsResponse) {
        const NANO: f64 = 1e9;
        self.last = Some(Instant::now());
        if let Some(bytes) = memory(stats) {
            record_metric(&Metric::new(MetricName::SessionMemory, bytes as f64).session(id.as_str()));
        }
        let total = stats.cpu_stats.as_ref().and_then(|cpu| cpu.cpu_usage.as_ref()?.total_usage);
        if let Some(total) = total.map(|total| total as f64 / NANO) {
            // A container that was started again counts from nothing.
            let more = if total >= self.processor { total - self.processor } else { total };
            self.processor = total;
            record_metric(&Metric::new(MetricName::SessionProcessor, more).session(id.as_str()));
        }
    }
}

/// Without the page cache, which the kernel takes back when it needs it.
///
/// Source: Docker's API reference, "Get container stats based on resource usage": used memory is `usage` less
/// `inactive_file` (version 2 of control groups) or `total_inactive_file` (version 1).
fn memory(stats: &ContainerStatsResponse) -> Option<u64> {
    let memory = stats.memory_stats.as_ref()?;
    let details = memory.stats.as_ref();
    let cache = details.and_then(|stats| stats.get("inactive_file").or(stats.get("total_inactive_file")));
    Some(memory.usage?.saturating_sub(cache.copied().unwrap_or_default()))
}
